import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const CALLER = `export default async ({ path, method }, ctx) => {
  const answer = await fetch(ctx.env.ORIGIN + path, { method });
  return { status: answer.status, text: await answer.text() };
};`;

describe("powers of a version", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;
  let upstream: Server;
  let port: number;
  const seen: string[] = [];

  before(async () => {
    upstream = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      if (request.url === "/v1/away") response.writeHead(302, { location: "/admin" }).end();
      else response.end("answered");
    });
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    port = (upstream.address() as AddressInfo).port;
    server = await startServer({
      settings: {
        data: data.path,
        auth: "local:",
        "egress.private_allow": ["127.0.0.1/32"],
        "publish.approve": "new-powers",
      },
    });
    api = createApi(server.url, server.token);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    upstream.closeAllConnections();
    upstream.close();
    data[Symbol.dispose]();
  });

  test("calls out go where a rule of the version lets them, and no further", async () => {
    const allow = [{ host: "127.0.0.1", methods: ["GET", "POST"], paths: ["/v1/*"], ports: [port] }];
    const files = {
      "manifest.json": manifest({ capabilities: { http: { allow } } }),
      "function.js": CALLER,
    };
    const narrowed = [{ ...allow[0], methods: ["GET"] }];
    const roles = ["admin"];
    const authz = { invoke_http_roles: roles, invoke_schedule_roles: roles, invoke_cadence_roles: roles };
    const base = `${api.scope()}/caller`;
    await api.expect(201, "POST", api.scope(), { name: "caller" });
    const encoded = Object.fromEntries(
      Object.entries(files).map(([path, text]) => [path, Buffer.from(text).toString("base64")]),
    );
    const draft = await api.expect<{ draft_id: string }>(200, "PUT", `${base}/draft`, { files: encoded });
    const config = {
      authz,
      env: { ORIGIN: `http://127.0.0.1:${port}` },
      capabilities: { http: { allow: narrowed } },
    };
    const body = { draft_id: draft.draft_id, config, alias: "prod" };
    const refused = await api.expect<{ error: { code: string } }>(409, "POST", `${base}/versions`, body);
    assert.equal(refused.error.code, "CS_APPROVAL_REQUIRED");
    const published = await api.expect<{ powers: { added: { what: string }[] } }>(
      201,
      "POST",
      `${base}/versions`,
      { ...body, approve: true },
    );
    assert.deepEqual(
      published.powers.added.map(({ what }) => what),
      [`GET 127.0.0.1:${port} /v1/*`],
    );
    const call = async (method: string, path: string): Promise<string> => {
      const run = await api.invoke("caller", { method, path });
      return run.result?.body ?? run.error?.message ?? "";
    };
    assert.equal(await call("GET", "/v1/x?y=1"), '{"status":200,"text":"answered"}');
    assert.match(await call("POST", "/v1/x"), /POST to \\?"127\.0\.0\.1\\?" is not allowed/);
    assert.match(await call("GET", "/admin"), /path .*\/admin.* is not allowed/);
    assert.match(await call("GET", "/v1/%2e%2e/admin"), /path .*\/admin.* is not allowed/);
    assert.match(await call("GET", "/v1/away"), /path .*\/admin.* is not allowed/);
    assert.deepEqual(seen, ["GET /v1/x?y=1", "GET /v1/away"]);
  });

  test("the command line shows new powers, stops without --approve and goes on with it", async () => {
    using folder = scratchFolder();
    const env = { SOUS_TOKEN: server.token ?? "" };
    const capabilities = { kv: { prefixes: ["visits:"], ops: ["get", "set"] } };
    writeFileSync(join(folder.path, "manifest.json"), manifest({ capabilities }));
    writeFileSync(join(folder.path, "function.js"), "export default () => 1;");
    const argv = ["fn", "deploy", folder.path, "--name", "visits"];
    const stopped = await runCs(server.url, argv, env);
    assert.equal(stopped.code, 1);
    assert.match(stopped.stderr, /\+ +kv +get visits:\*\n +\+ +kv +set visits:\*/);
    assert.match(stopped.stderr, /CS_APPROVAL_REQUIRED/);
    const deployed = await runCs(server.url, [...argv, "--approve"], env);
    assert.equal(deployed.code, 0, deployed.stderr);
    const { powers } = JSON.parse(deployed.stdout) as { powers: { added: unknown[] } };
    assert.equal(powers.added.length, 2);
    assert.equal((await runCs(server.url, argv, env)).code, 0, "the same powers again need no approval");
  });
});
