import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { type CsRun, runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { sendRaw } from "../support/send-raw.ts";
import { serverEvents } from "../support/server-events.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KV = { kv: { prefixes: ["life/"], ops: ["get", "set"] } };
const WEB = "/v1/web/t_default/default";

const echo = (version: number): Record<string, string> => ({
  "manifest.json": manifest({ capabilities: KV }),
  "function.js": `import { greet } from "./lib/greet.js";
    export default async function handle(event, ctx) {
      console.log(greet(ctx.function), { attempt: ctx.attempt });
      const seen = (await cs.kv.get("life/seen")) ?? 0;
      await cs.kv.set("life/seen", seen + 1);
      return {
        statusCode: 201,
        headers: { "content-type": "application/json", "x-made-by": "v${version}", "Server": "mine" },
        body: JSON.stringify({ code: ${version}, event, ctx, seen }),
      };
    }`,
  "lib/greet.js": "export const greet = (name) => `hello from ${name}`;",
});

interface Echoed {
  code: number;
  event: Record<string, unknown> & { headers: Record<string, string>; requestContext: unknown };
  ctx: Record<string, unknown> & { ref: unknown; trigger: unknown; principal: unknown };
  seen: number;
}

describe("the life of a function", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  test("create, draft, publish, alias: two versions, each reachable by number and by alias", async () => {
    const base = `${api.scope()}/echo`;
    const created = await api.expect<Record<string, unknown>>(201, "POST", api.scope(), { name: "echo" });
    assert.equal(created["runtime"], "cs-js");
    await api.expect(409, "POST", api.scope(), { name: "echo" });
    const first = await api.publish({ name: "echo", files: echo(1) });
    const second = await api.publish({ name: "echo", files: echo(2), alias: "next" });
    assert.deepEqual([first.version, second.version], [1, 2]);
    assert.notEqual(first.sha256, second.sha256);

    const read = await api.expect<{ latest_version: number; aliases: { alias: string; version: number }[] }>(
      200,
      "GET",
      base,
    );
    assert.equal(read.latest_version, 2);
    assert.deepEqual(
      read.aliases.map(({ alias, version }) => [alias, version]),
      [
        ["next", 2],
        ["prod", 1],
      ],
    );
    const { files } = await api.expect<{ files: Record<string, string> }>(
      200,
      "GET",
      `${base}/versions/1/files`,
    );
    assert.deepEqual(Object.keys(files).sort(), ["function.js", "lib/greet.js", "manifest.json"]);
    assert.equal(Buffer.from(files["function.js"] ?? "", "base64").toString(), echo(1)["function.js"]);
  });

  test("control runs it by alias, by version and as latest, and says what it was told", async () => {
    for (const [ref, code] of [
      [{ alias: "prod" }, 1],
      [{ alias: "next" }, 2],
      [{ version: 1 }, 1],
      [{ alias: "latest" }, 2],
      [{}, 2],
    ] as const) {
      const answer = await api.invoke("echo", { q: 1 }, { ref });
      assert.equal(answer.status, "success");
      assert.equal(answer.result?.statusCode, 201);
      const { code: ran, ctx, event } = JSON.parse(answer.result?.body ?? "") as Echoed;
      assert.equal(ran, code, JSON.stringify(ref));
      assert.deepEqual(event, { q: 1 });
      assert.equal(ctx["activation_id"], answer.activation_id);
      assert.deepEqual(ctx.trigger, { type: "api" });
      assert.deepEqual(ctx.principal, { sub: "anonymous", roles: ["admin"] });
      assert.equal(ctx["version"], code);
      assert.deepEqual(ctx.ref, { alias: "alias" in ref && ref.alias !== "latest" ? ref.alias : null });
    }
  });

  test("metrics count invocations, cold starts by runtime, and the time work waited", async () => {
    const text = await (await api.call("GET", "/metrics")).text();
    const sample = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    const cold = sample('cs_invoker_cold_starts_total\\{runtime="cs-js"\\}');
    assert.ok(cold >= 2 && cold <= 5, `${cold} cold starts of two versions in five calls`);
    assert.equal(cold, sample("cs_invocation_cold_ms_count"));
    assert.equal(sample('cs_invoker_queue_lag_ms_count\\{topic="cs.invoke"\\}'), 5);
  });

  test("the gateway hands over a request as it came: path, query, headers, body", async () => {
    const path = `${WEB}/echo/prod/a%2Fb/../c%20d//`;
    const body = Buffer.from([0, 1, 2, 255, 254]);
    const answer = await sendRaw(server.url, {
      method: "POST",
      path: `${path}?x=1&x=%32&y`,
      headers: {
        "X-Custom": ["one", "two"],
        "content-type": "application/octet-stream",
        "X-Tikti-Token": "secret",
        Cookie: "a=1; sous_session=secret; b=2",
        Authorization: "Bearer secret",
        "X-Request-Id": "my-request-1",
      },
      body,
    });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers["x-made-by"], "v1");
    assert.equal(answer.headers["x-request-id"], "my-request-1");
    assert.equal(answer.headers["server"], undefined, "not the function's to set");
    const { event, ctx } = JSON.parse(answer.body.toString()) as Echoed;
    assert.equal(event["version"], "2.0");
    assert.equal(event["routeKey"], "$default");
    assert.equal(event["rawPath"], path);
    assert.equal(event["rawQueryString"], "x=1&x=%32&y");
    assert.deepEqual(event.requestContext, { http: { method: "POST", path } });
    assert.equal(event["isBase64Encoded"], true);
    assert.deepEqual(Buffer.from(String(event["body"]), "base64"), body);
    assert.equal(event.headers["x-custom"], "one,two");
    assert.equal(event.headers["cookie"], "a=1; b=2");
    assert.equal(event.headers["authorization"], undefined);
    assert.equal(event.headers["x-tikti-token"], undefined);
    assert.deepEqual(ctx.trigger, { type: "http" });
    assert.equal(answer.headers["x-cs-activation-id"], ctx["activation_id"]);
  });

  test("the gateway takes GET, versions in the path and nothing after them", async () => {
    for (const [ref, code] of [
      ["2", 2],
      ["latest", 2],
      ["prod", 1],
    ] as const) {
      const answer = await sendRaw(server.url, { path: `${WEB}/echo/${ref}` });
      const { code: ran, event } = JSON.parse(answer.body.toString()) as Echoed;
      assert.equal(ran, code);
      assert.equal(event["body"], "");
      assert.equal(event["rawQueryString"], "");
      assert.equal(event["rawPath"], `${WEB}/echo/${ref}`);
    }
  });

  test("results become HTTP: statuses, bytes, cookies, empty answers, plain values, failures", async () => {
    const code = `const kinds = {
      bytes: () => ({ statusCode: 200, headers: { "content-type": "image/x-test" }, body: "AAH/", isBase64Encoded: true }),
      gone: () => ({ statusCode: 204, body: "" }),
      moved: () => ({ statusCode: 302, headers: { Location: "/elsewhere" } }),
      teapot: () => ({ statusCode: 418, body: "short" }),
      value: () => ({ plain: [1, "ä"] }),
      nothing: () => undefined,
      text: () => "plain text",
      thrown: () => { throw new TypeError("broken on purpose"); },
      early: () => ({ statusCode: 103, body: "" }),
      split: () => ({ statusCode: 200, headers: { "x-bad": "a\\r\\nset-cookie: x=1" }, body: "" }),
      shape: () => ({ statusCode: "200" }),
      base64: () => ({ statusCode: 200, body: "!!!", isBase64Encoded: true }),
      cookies: () => ({ statusCode: 200, headers: { "Set-Cookie": "z=0" }, cookies: ["a=1; Path=/", "b=2"], body: "" }),
      response: () => {
        const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
        return new Response("hi", { status: 201, headers });
      },
      torn: () => ({ statusCode: 200, cookies: ["a=1", "b=2\\r\\nx-bad: 1"], body: "" }),
      wrapped: () => ({ statusCode: 200, body: "AAH\\r\\n_w==", isBase64Encoded: true }),
    };
    export default (event) => kinds[event.rawPath.split("/").pop()]();`;
    await api.deploy({ name: "kinds", files: { "function.js": code, "manifest.json": manifest() } });
    const call = (kind: string) => sendRaw(server.url, { path: `${WEB}/kinds/prod/${kind}` });

    const bytes = await call("bytes");
    assert.equal(bytes.headers["content-type"], "image/x-test");
    assert.deepEqual([...bytes.body], [0, 1, 255]);
    const gone = await call("gone");
    assert.deepEqual([gone.status, gone.body.length, gone.headers["content-length"]], [204, 0, undefined]);
    const moved = await call("moved");
    assert.deepEqual([moved.status, moved.headers.location], [302, "/elsewhere"]);
    assert.equal((await call("teapot")).status, 418);
    const value = await call("value");
    assert.deepEqual([value.status, value.body.toString()], [200, '{"plain":[1,"ä"]}']);
    assert.match(value.headers["content-type"] ?? "", /^application\/json/);
    assert.deepEqual((await call("nothing")).body.length, 0);
    assert.equal((await call("text")).body.toString(), '"plain text"');
    assert.deepEqual([...(await call("wrapped")).body], [0, 1, 255]);
    assert.deepEqual((await call("cookies")).headers["set-cookie"], ["z=0", "a=1; Path=/", "b=2"]);
    const response = await call("response");
    assert.deepEqual([response.status, response.body.toString()], [201, "hi"]);
    assert.deepEqual(response.headers["set-cookie"], ["a=1", "b=2"]);
    for (const kind of ["thrown", "early", "split", "torn", "shape", "base64"]) {
      const failed = await call(kind);
      const { error } = JSON.parse(failed.body.toString()) as {
        error: { code: string; message: string; details: { activation_id: string } };
      };
      assert.match(error.details.activation_id, /^[0-9a-f-]{36}$/);
      assert.deepEqual([failed.status, error.code], [502, "CS_RUNTIME_EXCEPTION"], kind);
      assert.equal(failed.headers["set-cookie"], undefined);
      if (kind === "thrown") assert.match(error.message, /broken on purpose/);
    }
  });

  test("an asynchronous call leaves a record and a log that say what happened", async () => {
    const accepted = await api.expect<{ activation_id: string; status: string }>(
      202,
      "POST",
      `${api.scope()}/echo:invoke`,
      { ref: { alias: "prod" }, mode: "async", event: { later: true } },
    );
    assert.equal(accepted.status, "queued");
    const id = accepted.activation_id;
    await until(async () => (await api.activation(id)).status === "success", "the activation to succeed");
    const record = await api.activation(id);
    assert.equal(record["mode"], "async");
    assert.equal(record["resolved_version"], 1);
    assert.deepEqual(record["ref"], { function: "echo", alias: "prod", version: 1 });
    assert.equal(record["attempt"], 1);
    assert.equal((record["result"] as { statusCode: number }).statusCode, 201);
    assert.equal(record["host_calls"], 2);
    assert.ok(Number(record["end_ms"]) >= Number(record["start_ms"]));
    assert.ok(Number(record["start_ms"]) >= Number(record["enqueued_at_ms"]));
    const logs = await api.expect<{ chunks: string[]; cursor: null }>(
      200,
      "GET",
      `/v1/tenants/t_default/activations/${id}/logs`,
    );
    assert.deepEqual(logs, { chunks: ["[info] hello from echo { attempt: 1 }"], cursor: null });
    const listed = await api.expect<{ items: { activation_id: string }[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/activations?function=echo&status=success&limit=1",
    );
    assert.equal(listed.items[0]?.activation_id, id, "newest first");
  });

  test("a follower hears each line while the function runs, and the end", async () => {
    const code = `export default async () => {
      console.log("begun");
      while ((await cs.kv.get("life/go")) !== true) await new Promise((resolve) => setTimeout(resolve, 20));
      console.warn("ended");
    };`;
    const files = {
      "function.js": code,
      "manifest.json": manifest({ capabilities: KV, limits: { timeoutMs: 20_000 } }),
    };
    await api.deploy({ name: "waiter", files });
    const go = 'export default () => cs.kv.set("life/go", true);';
    const manifestText = manifest({ capabilities: KV });
    await api.deploy({ name: "starter", files: { "function.js": go, "manifest.json": manifestText } });

    const response = await api.enqueue("waiter", {});
    const { activation_id: id } = (await response.json()) as { activation_id: string };
    const path = `/v1/tenants/t_default/activations/${id}/logs?follow=1`;
    const stream = serverEvents(await api.call("GET", path));
    const first = (await stream.next()).value;
    assert.deepEqual(first, { event: "chunk", id: "1", data: { index: 0, text: "[info] begun" } });
    assert.equal((await api.activation(id)).status, "running");
    await api.invoke("starter", null);
    const rest = [];
    for await (const event of stream) rest.push(event);
    assert.deepEqual(rest[0], { event: "chunk", id: "2", data: { index: 1, text: "[warn] ended" } });
    assert.equal(rest.length, 2);
    assert.equal(rest[1]?.event, "end");
    assert.equal(rest[1]?.data["status"], "success");
    // Who comes back where the stream broke gets the rest, also long after.
    const again = serverEvents(await api.call("GET", path, undefined, { "last-event-id": "1" }));
    const repeated = [];
    for await (const event of again) repeated.push(event.event);
    assert.deepEqual(repeated, ["chunk", "end"]);
  });

  test("the command line goes the same way, from a folder to a log", async () => {
    const folder = join(data.path, "from-cli");
    mkdirSync(join(folder, "lib"), { recursive: true });
    for (const [path, text] of Object.entries(echo(7))) writeFileSync(join(folder, path), text);
    const cs = async <T>(...args: string[]): Promise<T> => {
      const run: CsRun = await runCs(server.url, [...args, "--json"]);
      assert.equal(run.code, 0, `cs ${args.join(" ")}: ${run.stderr}`);
      return JSON.parse(run.stdout) as T;
    };

    const deployed = await cs<{ version: number; url: string }>("fn", "deploy", folder);
    assert.equal(deployed.version, 1);
    assert.equal(deployed.url, `${server.url}${WEB}/from-cli/prod`);
    const invoked = await cs<{ activation_id: string; status: string; result: { body: string } }>(
      "fn",
      "invoke",
      "from-cli@prod",
      "--event",
      '{"n":1}',
    );
    assert.equal(invoked.status, "success");
    assert.deepEqual((JSON.parse(invoked.result.body) as Echoed).event, { n: 1 });
    const web = await cs<{ status: number; body: string }>(
      "http",
      "invoke",
      "from-cli@1/x%2Fy?q=1",
      "-d",
      "sent",
    );
    assert.equal(web.status, 201);
    const { event } = JSON.parse(web.body) as Echoed;
    assert.equal(event["rawPath"], `${WEB}/from-cli/1/x%2Fy`);
    assert.equal(Buffer.from(String(event["body"]), "base64").toString(), "sent");
    const id = invoked.activation_id;
    const record = await cs<{ status: string; function: string }>("activation", "get", id);
    assert.deepEqual([record.status, record.function], ["success", "from-cli"]);
    const logs = await runCs(server.url, ["activation", "logs", id]);
    assert.match(logs.stdout, /hello from from-cli/);
    const missing = await runCs(server.url, ["fn", "get", "not-there", "--json"]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /CS_NOT_FOUND/);
  });
});
