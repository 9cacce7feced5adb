import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, seeded } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const SECRET = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
const KILLS = 6;
const SEED = 0xde57;
/** Every kill is an attempt of what was running. */
const RETRY = { max_attempts: 20, backoff_ms: 20, backoff_max_ms: 50 };
const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 10_000 } }),
  "function.js": "export default (event) => ({ n: event?.n ?? null });",
};

interface Listed {
  activation_id: string;
  status: string;
  trigger: { source: Record<string, unknown> };
}

/** Starts the platform again and again over one folder. */
const starter = (path: string) => (): Promise<TestServer> =>
  startServer({
    settings: {
      data: path,
      "egress.private_allow": ["127.0.0.1/32"],
      "limits.async_depth_max": 2000,
      "limits.destination_backoff_ms": 20,
      "limits.destination_backoff_max_ms": 100,
    },
  });

async function deploy(api: Api, receiver: WebhookReceiver): Promise<void> {
  await api.expect(200, "PUT", "/v1/tenants/t_default/namespaces/default/secrets/hook", { value: SECRET });
  const on_success = { webhook: { url: `${receiver.url}/end`, secret: "hook" } };
  await api.deploy({ name: "hooked", files: FILES, config: { on_success, retry: RETRY } });
  await api.deploy({ name: "next", files: FILES, config: { retry: RETRY } });
  const next = { function: "next@prod" };
  await api.deploy({ name: "chained", files: FILES, config: { on_success: next, retry: RETRY } });
}

async function enqueue(api: Api, name: string, event: unknown): Promise<string | undefined> {
  const response = await api.enqueue(name, event);
  const { activation_id } = (await response.json()) as { activation_id?: string };
  return response.status === 202 ? activation_id : undefined;
}

const came = (receiver: WebhookReceiver, id: string): number =>
  receiver.received.filter((each) => each.id === `dst_${id}` && each.verified).length;

test("a kill between an end and its destination loses neither", async () => {
  using data = scratchFolder();
  await using receiver = await startWebhookReceiver(SECRET);
  const start = starter(data.path);
  for (let round = 0; round < 4; round++) {
    let id: string | undefined;
    {
      await using server = await start();
      const api = createApi(server.url);
      if (round === 0) await deploy(api, receiver);
      // Nothing that is told before the kill counts as told.
      receiver.answers.set(
        "/end",
        Array.from({ length: 1000 }, () => ({ status: 503 })),
      );
      id = await enqueue(api, "hooked", { round });
      assert.ok(id !== undefined);
      const record = await api.expect<Listed>(200, "GET", `/v1/tenants/t_default/activations/${id}?wait=20`);
      assert.equal(record.status, "success");
      await server.kill();
    }
    const before = came(receiver, id);
    receiver.answers.delete("/end");
    await using server = await start();
    const api = createApi(server.url);
    await until(() => came(receiver, id) > before, "the webhook after the restart");
    assert.equal((await api.activation(id)).status, "success");
    assert.equal((await api.activation(id))["attempt"], 1, "the end was on disk: it did not run again");
    await until(async () => {
      const metrics = await (await api.call("GET", "/metrics")).text();
      return /cs_codeq_depth\{topic="cs.deliver",state="claimed"\} 0/.test(metrics);
    }, "the delivery to be acknowledged");
    assert.equal(came(receiver, id), before + 1, "once taken, it is not told again");
  }
});

test(`${KILLS} kills at any moment lose no end, and no function is called twice for one`, async (context) => {
  using data = scratchFolder();
  await using receiver = await startWebhookReceiver(SECRET);
  const random = seeded(SEED);
  const start = starter(data.path);
  const hooked: string[] = [];
  const chained: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await using server = await start();
    const api = createApi(server.url);
    if (kill === 0) await deploy(api, receiver);
    const send = async (name: string, ids: string[]): Promise<void> => {
      for (let n = 0; ; n++) {
        try {
          const id = await enqueue(api, name, { n });
          if (id !== undefined) ids.push(id);
        } catch {
          return;
        }
        await sleep(4);
      }
    };
    const before = chained.length;
    const load = [send("hooked", hooked), send("chained", chained), send("chained", chained)];
    await until(() => chained.length > before, "some work to be taken");
    await sleep(100 + random() * 400);
    await server.kill();
    await Promise.all(load);
  }

  await using server = await start();
  const api = createApi(server.url);
  const untold = (): string[] => hooked.filter((id) => came(receiver, id) === 0);
  await until(() => untold().length === 0, "everybody to be told", 30_000).catch(async (error: unknown) => {
    const dlq = await api.expect<unknown>(200, "GET", "/v1/tenants/t_default/namespaces/default/dlq");
    assert.fail(
      `${String(error)}: ${untold().length} of ${hooked.length}, ${JSON.stringify(dlq).slice(0, 800)}`,
    );
  });
  let calls: Listed[] = [];
  await until(
    async () => {
      calls = await callsOfNext(api);
      return calls.length >= chained.length && calls.every(({ status }) => isEnded(status));
    },
    "every call of the next function to end",
    30_000,
  );
  const told = new Map<string, number>();
  for (const { status, trigger } of calls) {
    assert.equal(status, "success");
    const source = String(trigger.source["activation_id"]);
    told.set(source, (told.get(source) ?? 0) + 1);
  }
  for (const id of chained)
    assert.equal(told.get(id), 1, `the function was called ${told.get(id)} times for ${id}`);
  const twice = hooked.filter((id) => came(receiver, id) > 1).length;
  assert.ok(hooked.length > KILLS && chained.length > KILLS, "the load was one");
  context.diagnostic(`${hooked.length} webhooks, ${twice} of them told twice; ${chained.length} calls`);
});

const isEnded = (status: string): boolean => status !== "queued" && status !== "running";

async function callsOfNext(api: Api): Promise<Listed[]> {
  const found: Listed[] = [];
  let cursor: string | null = null;
  do {
    const query: string = `function=next&namespace=default&limit=500${cursor === null ? "" : `&cursor=${cursor}`}`;
    const page: { items: Listed[]; next_cursor: string | null } = await api.expect(
      200,
      "GET",
      `/v1/tenants/t_default/activations?${query}`,
    );
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}
