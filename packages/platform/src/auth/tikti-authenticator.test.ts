import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { createTiktiAuthenticator } from "./tikti-authenticator.ts";

type Answer = (
  body: { token: string; idToken: string },
  request: IncomingMessage,
  response: ServerResponse,
) => void;

async function startTikti(answer: Answer) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () =>
      answer(JSON.parse(text) as { token: string; idToken: string }, request, response),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `tikti+http://127.0.0.1:${port}/v1/introspect`,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;
const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
const BASE_MS = 1_800_000_000_000;

test("asks with token, idToken and key, reads the introspection shape, caches the answer", async () => {
  let seen: { url: string | undefined; body: unknown } | undefined;
  await using tikti = await startTikti((body, request, response) => {
    seen = { url: request.url, body };
    json(response, {
      active: true,
      sub: "alice",
      tenant: "t_default",
      roles: ["role:app"],
      exp: BASE_MS / 1000 + 3600,
      more: 1,
    });
  });
  let nowMs = BASE_MS;
  await using auth = createTiktiAuthenticator({ url: tikti.url, apiKey: "k&1", clock: () => nowMs });
  const identity = await auth.authenticate("Bearer abc");
  assert.deepEqual(identity, { principal: { sub: "alice", roles: ["role:app"] }, tenant: "t_default" });
  assert.deepEqual(seen, { url: "/v1/introspect?key=k%261", body: { token: "abc", idToken: "abc" } });

  assert.equal(auth.authenticate("Bearer abc"), identity, "the second answer is at once and the same");
  nowMs += 60_001;
  await auth.authenticate("Bearer abc");
  assert.equal(tikti.asked(), 2);
});

test("an answer is never trusted past its exp", async () => {
  await using tikti = await startTikti((_body, _request, response) =>
    json(response, { active: true, sub: "a", tenant: "t_default", roles: [], exp: BASE_MS / 1000 + 10 }),
  );
  let nowMs = BASE_MS;
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => nowMs });
  await auth.authenticate("Bearer abc");
  nowMs += 9_999;
  assert.ok(!(auth.authenticate("Bearer abc") instanceof Promise));
  nowMs += 1;
  await assert.rejects(async () => auth.authenticate("Bearer abc"), code("CS_AUTHN_EXPIRED_TOKEN"));
});

test("reads the look-up shape; exp, sub and tid come from the token's payload", async () => {
  await using tikti = await startTikti((body, _request, response) =>
    json(response, {
      users: [
        {
          localId: "u1",
          email: "a@example.com",
          role: body.token === "opaque" ? "ADMIN" : "Editor",
          ...(body.token === "opaque" ? { tenantId: "t_opaque1" } : {}),
          status: "ACTIVE",
        },
      ],
    }),
  );
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => BASE_MS });
  assert.deepEqual(await auth.authenticate("Bearer opaque"), {
    principal: { sub: "u1", roles: ["admin"] },
    tenant: "t_opaque1",
  });
  const token = jwt({ sub: "from-token", tid: "t_claims", exp: BASE_MS / 1000 + 5 });
  assert.deepEqual(await auth.authenticate(`Bearer ${token}`), {
    principal: { sub: "from-token", roles: ["Editor", "editor"] },
    tenant: "t_claims",
  });
  const old = jwt({ sub: "x", tid: "t_claims", exp: BASE_MS / 1000 - 1 });
  await assert.rejects(async () => auth.authenticate(`Bearer ${old}`), code("CS_AUTHN_EXPIRED_TOKEN"));
});

test("a role that only reads like ADMIN in lower case does not become admin", async () => {
  await using tikti = await startTikti((_body, _request, response) =>
    json(response, { users: [{ localId: "u1", role: "Admin", tenantId: "t_default" }] }),
  );
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => BASE_MS });
  assert.deepEqual((await auth.authenticate("Bearer abc")).principal.roles, ["Admin"]);
});

test("refused, inactive and tenantless tokens are invalid, and remembered as such for five seconds", async () => {
  const answers: Record<string, [unknown, number]> = {
    unauthorised: [{}, 401],
    missing: [{}, 404],
    inactive: [{ active: false }, 200],
    nobody: [{ users: [] }, 200],
    disabled: [{ users: [{ localId: "u", tenantId: "t_default", status: "DISABLED" }] }, 200],
    tenantless: [{ active: true, sub: "a", roles: ["admin"] }, 200],
    wildcard: [{ active: true, sub: "a", tenant: "*", roles: ["admin"] }, 200],
  };
  await using tikti = await startTikti((body, _request, response) => {
    const [reply, status] = answers[body.token] ?? [{}, 500];
    json(response, reply, status);
  });
  let nowMs = BASE_MS;
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => nowMs });
  for (const token of Object.keys(answers)) {
    await assert.rejects(
      async () => auth.authenticate(`Bearer ${token}`),
      code("CS_AUTHN_INVALID_TOKEN"),
      token,
    );
  }
  const before = tikti.asked();
  assert.throws(() => auth.authenticate("Bearer inactive"), code("CS_AUTHN_INVALID_TOKEN"));
  assert.equal(tikti.asked(), before);
  nowMs += 5001;
  await assert.rejects(async () => auth.authenticate("Bearer inactive"), code("CS_AUTHN_INVALID_TOKEN"));
  assert.equal(tikti.asked(), before + 1);
});

test("a service that is down, silent, broken or endless means unavailable, and is asked again", async () => {
  await using tikti = await startTikti((body, _request, response) => {
    if (body.token === "silent") return;
    if (body.token === "broken") return void response.end("<html>");
    if (body.token === "odd") return void json(response, { hello: 1 });
    if (body.token === "endless") return void response.end("x".repeat(1_000_000));
    if (body.token === "hangup") return void response.socket?.destroy();
    json(response, {}, 503);
  });
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => BASE_MS, timeoutMs: 300 });
  for (const token of ["silent", "broken", "odd", "endless", "hangup", "down", "down"]) {
    await assert.rejects(
      async () => auth.authenticate(`Bearer ${token}`),
      code("CS_AUTHN_UNAVAILABLE"),
      token,
    );
  }
  assert.equal(tikti.asked(), 7, "no failure of the service is remembered");
  await using nowhere = createTiktiAuthenticator({ url: "tikti+http://127.0.0.1:1/", clock: () => BASE_MS });
  await assert.rejects(async () => nowhere.authenticate("Bearer abc"), code("CS_AUTHN_UNAVAILABLE"));
});

test("missing header and other schemes are told apart from bad tokens; neither asks the service", async () => {
  await using tikti = await startTikti((_body, _request, response) => json(response, {}, 500));
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => BASE_MS });
  const attempt = (header: string | undefined) => async () => auth.authenticate(header);
  for (const header of [undefined, "", "Basic abc", "abc", "Bearer"]) {
    await assert.rejects(attempt(header), code("CS_AUTHN_MISSING_TOKEN"), String(header));
  }
  for (const header of ["Bearer a b", "Bearer a\u00e9", `Bearer ${"a".repeat(20_000)}`]) {
    await assert.rejects(attempt(header), code("CS_AUTHN_INVALID_TOKEN"));
  }
  assert.equal(tikti.asked(), 0);
});

test("requests that come at once ask once", async () => {
  await using tikti = await startTikti((_body, _request, response) =>
    json(response, { active: true, sub: "a", tenant: "t_default", roles: [] }),
  );
  await using auth = createTiktiAuthenticator({ url: tikti.url, clock: () => BASE_MS });
  const all = await Promise.all(Array.from({ length: 50 }, () => auth.authenticate("Bearer abc")));
  assert.equal(new Set(all).size, 1);
  assert.equal(tikti.asked(), 1);
});
