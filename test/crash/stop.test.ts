import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const SLOW = "export default (ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms));";

test("a stop lets running work end, takes no more, and leaves the rest for the next start", async () => {
  using data = scratchFolder();
  const settings = { data: data.path };
  const ids: string[] = [];
  {
    await using server = await startServer({ settings });
    const api = createApi(server.url);
    const limits = { timeoutMs: 20_000, maxConcurrency: 1 };
    const files = { "function.js": SLOW, "manifest.json": manifest({ limits }) };
    await api.deploy({ name: "queued", files });
    await api.deploy({ name: "direct", files });
    await api.invoke("direct", 1);
    const sync = api.invoke("direct", 1500);
    for (const ms of [1500, 1, 1]) {
      const response = await api.enqueue("queued", ms);
      assert.equal(response.status, 202);
      ids.push(((await response.json()) as { activation_id: string }).activation_id);
    }
    const [first = ""] = ids;
    await until(async () => (await api.activation(first)).status === "running", "the first to run");
    process.kill(server.pid, "SIGTERM");
    const answer = await sync;
    assert.deepEqual([answer.status, answer.result?.body], ["success", "1500"]);
    await server.ended;
    await assert.rejects(api.enqueue("queued", 1), "nobody listens any more");
  }
  await using server = await startServer({ settings });
  const api = createApi(server.url);
  for (const id of ids)
    await until(async () => (await api.activation(id)).status === "success", `activation ${id}`);
  const attempts = await Promise.all(ids.map(async (id) => (await api.activation(id))["attempt"]));
  assert.deepEqual(attempts, [1, 1, 1], "none was begun twice");
});

test("work that a stop cuts off has not failed: it runs again as the same attempt", async () => {
  using data = scratchFolder();
  let id = "";
  {
    await using server = await startServer({ settings: { data: data.path, drain_ms: 200 } });
    const api = createApi(server.url);
    const code =
      "export default async () => { await new Promise((resolve) => setTimeout(resolve, 4000)); return 1; };";
    const files = { "function.js": code, "manifest.json": manifest({ limits: { timeoutMs: 20_000 } }) };
    await api.deploy({ name: "long", files, config: { retry: { max_attempts: 1 } } });
    const response = await api.enqueue("long", {});
    id = ((await response.json()) as { activation_id: string }).activation_id;
    await until(async () => (await api.activation(id)).status === "running", "it to run");
    process.kill(server.pid, "SIGTERM");
    await server.ended;
  }
  await using server = await startServer({ settings: { data: data.path } });
  const api = createApi(server.url);
  await until(async () => (await api.activation(id)).status === "success", "the work to end", 15_000);
  const record = await api.activation(id);
  assert.deepEqual([record["attempt"], record["attempts"]], [1, []]);
});

test(
  "a call whose body arrives after a stop has begun is refused at once, and does not hold the stop",
  { timeout: 20_000 },
  async () => {
    using data = scratchFolder();
    await using server = await startServer({ settings: { data: data.path, drain_ms: 60_000 } });
    const api = createApi(server.url);
    await api.deploy({ name: "late", files: { "function.js": SLOW, "manifest.json": manifest() } });
    await api.invoke("late", 1);
    const { port, host } = new URL(server.url);
    const socket = connect(Number(port), "127.0.0.1");
    await once(socket, "connect");
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    socket.write(`POST /v1/functions/late:invoke HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 4\r\n\r\n10`);
    await sleep(200);
    process.kill(server.pid, "SIGTERM");
    await sleep(500);
    socket.write("00");
    await once(socket, "close");
    assert.match(answer, /^HTTP\/1\.1 503 .*"CS_DRAINING"/s);
    assert.match(answer, /retry-after: 1/i);
    await server.ended;
  },
);
