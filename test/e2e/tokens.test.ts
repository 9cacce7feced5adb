import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const WEB = "/v1/web/t_default/default";
const UNKNOWN = `sous_${"0".repeat(26)}_${"A".repeat(43)}`;

const WHO = {
  "manifest.json": manifest(),
  "function.js": `export default (event, ctx) => ({
    principal: ctx.principal, authorization: event?.headers?.authorization ?? null });`,
};

interface Created {
  token: string;
  record: { token_id: string; tenant: string; roles: string[] };
}

describe("with tokens", () => {
  const data = scratchFolder();
  let server: TestServer;
  let admin: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path, auth: "local:" } });
    admin = createApi(server.url, server.token);
    const closed = { invoke_http_roles: ["caller"], invoke_api_roles: ["caller"] };
    await admin.deploy({ name: "private", files: WHO, config: { authz: closed } });
    await admin.deploy({ name: "open", files: WHO, config: { authz: { invoke_http_roles: ["public"] } } });
    await admin.deploy({
      name: "nobody",
      files: WHO,
      config: { authz: { invoke_http_roles: [], invoke_api_roles: [] } },
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const create = (fields: Record<string, unknown>): Promise<Created> =>
    admin.expect(201, "POST", "/v1/tokens", { sub: "somebody", roles: [], ...fields });
  const holderOf = async (...roles: string[]): Promise<Api> =>
    createApi(server.url, (await create({ roles })).token);

  /** @returns status and code of an answer, as one text */
  async function verdict(response: Promise<Response>): Promise<string> {
    const answer = await response;
    const text = await answer.text();
    const code = text.startsWith('{"error"')
      ? (JSON.parse(text) as { error: { code: string } }).error.code
      : "";
    return `${answer.status} ${code}`.trim();
  }
  const invoke = (api: Api, name: string): Promise<Response> =>
    api.call("POST", `${api.scope()}/${name}:invoke`, { ref: { alias: "prod" }, event: {} });

  test("the first token is shown once and opens everything but role lists", async () => {
    assert.match(server.token ?? "", /^sous_[0-9a-z]{26}_[\w-]{43}$/);
    assert.equal(await verdict(admin.call("GET", admin.scope())), "200");
    assert.equal(await verdict(invoke(admin, "private")), "403 CS_AUTHZ_ROLE_MISSING");
    assert.equal(await verdict(invoke(admin, "nobody")), "403 CS_AUTHZ_ROLE_MISSING");
  });

  test("no token, a wrong scheme, and tokens that are none are told apart", async () => {
    const none = createApi(server.url);
    const doors = [
      (headers: Record<string, string>) => none.call("GET", none.scope(), undefined, headers),
      (headers: Record<string, string>) => none.call("POST", `${none.scope()}/private:invoke`, {}, headers),
      (headers: Record<string, string>) => none.call("POST", "/v1/functions/private:invoke", {}, headers),
      (headers: Record<string, string>) => none.call("GET", `${WEB}/private/prod/`, undefined, headers),
      (headers: Record<string, string>) => none.call("GET", "/v1/tokens", undefined, headers),
    ];
    for (const door of doors) {
      assert.equal(await verdict(door({})), "401 CS_AUTHN_MISSING_TOKEN");
      assert.equal(await verdict(door({ authorization: "Basic YTpi" })), "401 CS_AUTHN_MISSING_TOKEN");
      assert.equal(await verdict(door({ authorization: "Bearer nonsense" })), "401 CS_AUTHN_INVALID_TOKEN");
      assert.equal(await verdict(door({ authorization: `Bearer ${UNKNOWN}` })), "401 CS_AUTHN_INVALID_TOKEN");
      const altered = `${(server.token ?? "").slice(0, -2)}xx`;
      assert.equal(await verdict(door({ authorization: `Bearer ${altered}` })), "401 CS_AUTHN_INVALID_TOKEN");
    }
    const refused = await doors[1]?.({});
    assert.equal(refused?.headers.get("www-authenticate"), "Bearer");
    assert.equal(await verdict(none.call("GET", "/healthz")), "200");
  });

  test("a stranger does not learn which functions there are, nor has a body read", async () => {
    const none = createApi(server.url);
    assert.equal(await verdict(none.call("GET", `${WEB}/not-there/prod/`)), "401 CS_AUTHN_MISSING_TOKEN");
    assert.equal(await verdict(none.call("GET", `${WEB}/private/not-there/`)), "401 CS_AUTHN_MISSING_TOKEN");
    const broken = await fetch(`${server.url}${none.scope()}/private:invoke`, {
      method: "POST",
      body: "{broken",
    });
    assert.equal(broken.status, 401, "who asks is checked before what is asked");
  });

  test("a role grants the action it names, in its own tenant only", async () => {
    const reader = await holderOf("cs:function:read");
    assert.equal(await verdict(reader.call("GET", reader.scope())), "200");
    assert.equal(await verdict(reader.call("POST", reader.scope(), { name: "mine" })), "403 CS_AUTHZ_DENIED");
    assert.equal(await verdict(invoke(reader, "private")), "403 CS_AUTHZ_DENIED");
    assert.equal(await verdict(reader.call("DELETE", `${reader.scope()}/private`)), "403 CS_AUTHZ_DENIED");
    assert.equal(
      await verdict(reader.call("GET", "/v1/tenants/t_default/activations")),
      "403 CS_AUTHZ_DENIED",
    );
    assert.equal(
      await verdict(reader.call("GET", reader.scope("t_other00"))),
      "403 CS_AUTHZ_RESOURCE_MISMATCH",
    );

    const caller = await holderOf("action:cs:function:invoke:api", "caller");
    assert.equal(await verdict(invoke(caller, "private")), "200");
    assert.equal(await verdict(caller.call("GET", `${WEB}/private/prod/`)), "403 CS_AUTHZ_DENIED");
    const stranger = await holderOf("cs:function:invoke:api");
    assert.equal(await verdict(invoke(stranger, "private")), "403 CS_AUTHZ_ROLE_MISSING");
    assert.equal(
      await verdict(admin.call("GET", admin.scope("t_other00"))),
      "403 CS_AUTHZ_RESOURCE_MISMATCH",
    );
  });

  test("tenants are apart: names, activations, kv and tokens", async () => {
    // Tenants of their own are made by whoever holds the store; here, without tokens.
    using other = scratchFolder();
    await using free = await startServer({ settings: { data: other.path } });
    const api = createApi(free.url);
    const KV = { kv: { prefixes: ["k/"], ops: ["get", "set"] } };
    const files = {
      "manifest.json": manifest({ capabilities: KV }),
      "function.js": `export default async (event, ctx) => {
        const before = await cs.kv.get("k/mine");
        await cs.kv.set("k/mine", ctx.tenant);
        return before;
      };`,
    };
    for (const tenant of ["t_first00", "t_second0"]) {
      await api.deploy({ name: "same-name", files, tenant });
      assert.equal((await api.invoke("same-name", null, { tenant })).result?.body, "", tenant);
    }
    const first = await api.invoke("same-name", null, { tenant: "t_first00" });
    assert.equal(first.result?.body, '"t_first00"');
    await until(
      async () => (await api.activation(first.activation_id, "t_first00")).status === "success",
      "it",
    );
    await api.expect(404, "GET", `/v1/tenants/t_second0/activations/${first.activation_id}`);
    await api.expect(404, "GET", `/v1/tenants/t_second0/activations/${first.activation_id}/logs`);
    const listed = await api.expect<{ items: { tenant: string }[] }>(
      200,
      "GET",
      "/v1/tenants/t_second0/activations",
    );
    assert.ok(listed.items.every(({ tenant }) => tenant === "t_second0"));
  });

  test("a public version takes anybody over the web, and sees the token as it was sent", async () => {
    const none = createApi(server.url);
    const open = await none.call("GET", `${WEB}/open/prod/`);
    assert.equal(open.status, 200);
    assert.deepEqual(await open.json(), { principal: { sub: "anonymous", roles: [] }, authorization: null });
    assert.equal(await verdict(invoke(none, "open")), "401 CS_AUTHN_MISSING_TOKEN", "only over the web");
    for (const own of ["Basic bWluZTpvd24=", "Bearer of-the-function", `Bearer ${UNKNOWN}`]) {
      const passed = await none.call("GET", `${WEB}/open/prod/`, undefined, { authorization: own });
      const answer = await passed.json();
      assert.deepEqual(answer, { principal: { sub: "anonymous", roles: [] }, authorization: own });
    }
    const known = await admin.call("GET", `${WEB}/open/prod/`);
    assert.equal(((await known.json()) as { principal: { sub: string } }).principal.sub, "admin");
  });

  test("a token ends at its time and at its revocation", async () => {
    const short = await create({ roles: ["cs:function:read"], expires_in_seconds: 1 });
    const shortApi = createApi(server.url, short.token);
    assert.equal(await verdict(shortApi.call("GET", shortApi.scope())), "200");
    await until(
      async () => (await verdict(shortApi.call("GET", shortApi.scope()))) === "401 CS_AUTHN_EXPIRED_TOKEN",
      "the token to expire, although it was cached",
    );
    const revoked = await create({ roles: ["admin", "caller"] });
    const revokedApi = createApi(server.url, revoked.token);
    assert.equal(await verdict(invoke(revokedApi, "private")), "200");
    await admin.expect(200, "DELETE", `/v1/tokens/${revoked.record.token_id}`);
    assert.equal(await verdict(invoke(revokedApi, "private")), "401 CS_AUTHN_INVALID_TOKEN", "at once");
    assert.equal(await verdict(revokedApi.call("GET", admin.scope())), "401 CS_AUTHN_INVALID_TOKEN");
    await admin.expect(404, "DELETE", `/v1/tokens/${"0".repeat(26)}`);
  });

  test("nobody passes on a role they do not have, nor makes tokens of another tenant", async () => {
    const issuer = await holderOf("cs:token:create", "caller");
    const body = { sub: "friend", roles: ["caller"] };
    assert.equal(await verdict(issuer.call("POST", "/v1/tokens", body)), "201");
    assert.equal(
      await verdict(issuer.call("POST", "/v1/tokens", { ...body, roles: ["admin"] })),
      "403 CS_AUTHZ_DENIED",
    );
    const foreign = issuer.call("POST", "/v1/tokens", { ...body, tenant: "t_other00" });
    assert.equal(await verdict(foreign), "403 CS_AUTHZ_RESOURCE_MISMATCH");
    const { items } = await admin.expect<{ items: Record<string, unknown>[] }>(
      200,
      "GET",
      "/v1/tokens?limit=500",
    );
    assert.ok(items.length > 5);
    assert.ok(
      !JSON.stringify(items).includes((server.token ?? "").slice(-43)),
      "secrets are never shown again",
    );
  });

  test("the command line sends its token and says what it lacks", async () => {
    const without = await runCs(server.url, ["fn", "list", "--json"]);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /CS_AUTHN_MISSING_TOKEN/);
    const within = await runCs(server.url, ["fn", "list", "--json"], { SOUS_TOKEN: server.token ?? "" });
    assert.equal(within.code, 0, within.stderr);
    assert.ok(!within.stdout.includes(server.token ?? "?"));
  });
});
