import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";
const PLAIN = 'plain-51H8x/a+b c"d';
const BOUND = "bound-9KqT3v-not-real";

const READER = `export default async (event) => {
  const value = await cs.secrets.get("plain_key");
  console.log("value:", value, { value });
  console.warn(encodeURIComponent(value), btoa("user:" + value));
  if (event?.fail) throw new Error("failed with " + value);
  return { length: value.length, same: value === event?.expected };
};`;
const CALLER = `export default async (event) => {
  const key = await cs.secrets.get("bound_key");
  const headers = { authorization: "Bearer " + key };
  const answer = await fetch(event.url, { headers });
  const text = await answer.text();
  console.log("sent", key, "and got", text);
  return { statusCode: answer.status, headers: { "x-echo": text.slice(0, 60) }, body: text };
};`;

/** Everything in a folder, as bytes. */
function bytesOf(folder: string): string {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, "latin1"))
    .join("\n");
}

describe("secrets", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;
  let upstream: Server;
  let origin: string;
  const seen: IncomingHttpHeaders[] = [];

  before(async () => {
    upstream = createServer((request, response) => {
      seen.push(request.headers);
      response.end(JSON.stringify(request.headers));
    });
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    server = await startServer({
      settings: { data: data.path, "egress.private_allow": ["127.0.0.1/32"] },
    });
    api = createApi(server.url);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    upstream.closeAllConnections();
    upstream.close();
    data[Symbol.dispose]();
  });

  const logsOf = async (id: string): Promise<string> => {
    const { chunks } = await api.expect<{ chunks: string[] }>(
      200,
      "GET",
      `/v1/tenants/t_default/activations/${id}/logs`,
    );
    return chunks.join("\n");
  };

  test("a function reads a secret of its version, and its logs and errors do not show it", async () => {
    await api.expect(200, "PUT", `${SECRETS}/plain_key`, { value: PLAIN });
    const files = { "manifest.json": manifest(), "function.js": READER };
    await api.deploy({ name: "reader", files, config: { secrets: ["plain_key"] } });
    for (let round = 0; round < 2; round += 1) {
      const run = await api.invoke("reader", { expected: PLAIN });
      assert.deepEqual(JSON.parse(run.result?.body ?? ""), { length: PLAIN.length, same: true });
      const logs = await logsOf(run.activation_id);
      assert.match(logs, /^\[info\] value: \[redacted\]/m);
      assert.match(logs, /^\[warn\] \[redacted\] .*\[redacted\]/m);
    }
    const failed = await api.invoke("reader", { fail: true });
    assert.equal(failed.error?.message, "failed with [redacted]");
    assert.match(failed.error?.stack ?? "", /failed with \[redacted\]/);
  });

  test("a function without the grant is denied, whatever exists", async () => {
    const files = { "manifest.json": manifest(), "function.js": READER };
    await api.deploy({ name: "stranger", files });
    const run = await api.invoke("stranger", {});
    assert.equal(run.error?.type, "CapabilityDenied");
    assert.match(run.error?.message ?? "", /plain_key.*--secrets/);
  });

  test("a bound secret reaches its host and nobody else, not even the function's result", async () => {
    await api.expect(200, "PUT", `${SECRETS}/bound_key`, { value: BOUND });
    const capabilities = { http: { allowHosts: ["127.0.0.1", "localhost"], timeoutMs: 5000 } };
    const files = { "manifest.json": manifest({ capabilities }), "function.js": CALLER };
    const secrets = [{ name: "bound_key", host: "127.0.0.1", header: "authorization" }];
    await api.deploy({ name: "caller", files, config: { secrets } });
    const run = await api.invoke("caller", { url: origin });
    assert.equal(run.status, "success", JSON.stringify(run.error));
    assert.equal(seen.at(-1)?.authorization, `Bearer ${BOUND}`);
    assert.match(run.result?.body ?? "", /"authorization":"Bearer \[redacted\]"/);
    assert.doesNotMatch(JSON.stringify(run), /9KqT3v/);
    const logs = await logsOf(run.activation_id);
    assert.match(logs, /sent sous_secret_[0-9a-f]{40} and got .*\[redacted\]/);
    const web = await api.call("GET", `/v1/web/t_default/default/caller/prod`, undefined);
    assert.equal(web.status, 502, "the event of a web call has no url");
    const wrong = await api.invoke("caller", { url: origin.replace("127.0.0.1", "localhost") });
    assert.equal(wrong.error?.code ?? wrong.error?.type, "CS_RUNTIME_CAPABILITY_DENIED");
    assert.match(wrong.error?.message ?? "", /bound_key is not for localhost/);
    assert.equal(seen.length, 1);
  });

  test("publishing names what is missing, and the command line sets, lists and deletes", async () => {
    const set = await runCs(server.url, ["secret", "set", "from_cli"], {}, "");
    assert.equal(set.code, 1, "standard input is empty");
    const piped = await runCs(server.url, ["secret", "set", "from_cli"], {}, "value\n");
    assert.equal(piped.code, 0, piped.stderr);
    const list = await runCs(server.url, ["secret", "list", "--json"]);
    const names = (JSON.parse(list.stdout) as { items: { name: string }[] }).items.map(({ name }) => name);
    assert.deepEqual(names, ["bound_key", "from_cli", "plain_key"]);
    assert.equal((await runCs(server.url, ["secret", "delete", "from_cli"])).code, 0);
    const files = { "manifest.json": manifest(), "function.js": READER };
    const published = (await api.publish({ name: "reader", files, config: { secrets: ["nothing"] } })) as {
      warnings?: string[];
    };
    assert.match(published.warnings?.[0] ?? "", /default\/nothing has no value yet/);
  });

  test("no value is in a record, in a log, or in any byte of the data folder", async () => {
    const page = await api.expect<object>(200, "GET", "/v1/tenants/t_default/activations");
    const records = JSON.stringify(page);
    // Closing brings everything from memory and from the write-ahead log to the files.
    const before = bytesOf(data.path);
    await server[Symbol.asyncDispose]();
    for (const text of [records, before, bytesOf(data.path)]) {
      for (const part of ["9KqT3v", "51H8x", encodeURIComponent(PLAIN), btoa(PLAIN), btoa(BOUND)]) {
        assert.ok(!text.includes(part), `${part} is there`);
      }
    }
    assert.ok(before.includes("bound_key"), "the test looks at the right files");
    assert.equal(statSync(join(data.path, "secrets.key")).mode & 0o777, 0o600);
  });

  test("after a restart the key file opens what was sealed, and another key does not", async () => {
    const settings = { data: data.path, "egress.private_allow": ["127.0.0.1/32"] };
    {
      await using again = await startServer({ settings });
      const run = await createApi(again.url).invoke("caller", { url: origin });
      assert.equal(run.status, "success", JSON.stringify(run.error));
      assert.equal(seen.at(-1)?.authorization, `Bearer ${BOUND}`);
    }
    const key = Buffer.alloc(32, 7).toString("base64");
    await using other = await startServer({ settings: { ...settings, secrets_key: [key] } });
    const run = await createApi(other.url).invoke("caller", { url: origin });
    assert.match(run.error?.message ?? "", /encrypted with the key [0-9a-f]{10}/);
  });
});
