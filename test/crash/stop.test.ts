import assert from "node:assert/strict";
import { test } from "node:test";
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
