import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { missingNats, missingRedis, startNats, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { startCluster } from "../support/cluster.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

const ECHO = { "manifest.json": manifest(), "function.js": "export default (event) => event;" };
const missing = missingNats() ?? missingRedis();

test("roles apart on a queue in NATS go on when processes end, whichever coordinates it", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using redis = await startRedis({ durable: true });
  await using nats = await startNats();
  await using cluster = await startCluster({
    store: redis.url,
    codeq: nats.url,
    counts: { gateway: 2, invoker: 2, scheduler: 1 },
  });
  const { api, processes } = cluster;
  await api.deploy({ name: "echo", files: ECHO });
  const answer = await api.invoke("echo", { hello: 1 });
  assert.deepEqual([answer.status, answer.result?.body], ["success", '{"hello":1}']);

  const [kept] = processes.gateway.slice(-1);
  assert.ok(kept);
  const accepted: string[] = [];
  let isSending = true;
  const sender = (async () => {
    while (isSending) {
      const path = `${kept.url}${api.scope()}/echo:invoke`;
      const body = JSON.stringify({ ref: { alias: "prod" }, mode: "async", event: accepted.length });
      const response = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
      // Between two coordinators a publish may be cut off: 503, and the caller tries again.
      if (response.status === 202)
        accepted.push(((await response.json()) as { activation_id: string }).activation_id);
      else assert.equal(response.status, 503, await response.text());
      await sleep(5);
    }
  })();
  // Two that are killed, and one that ends in order; what they coordinated goes to others.
  for (const server of [...processes.gateway.slice(0, -1), ...processes.scheduler]) {
    await sleep(300);
    await server.kill();
  }
  await sleep(300);
  await processes.invoker[0]?.[Symbol.asyncDispose]();
  const before = accepted.length;
  await until(() => accepted.length > before + 20, "work is accepted again");
  isSending = false;
  await sender;
  for (const id of accepted) {
    await until(async () => (await api.activation(id)).status === "success", `the end of ${id}`);
  }
});
