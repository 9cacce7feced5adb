import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { LIMITS } from "@sous/contract";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { createEventApi, type EventApi, SEEN } from "../support/event-api.ts";

const PUBLISHER = {
  "manifest.json": manifest({ capabilities: { codeq: { publishTopics: ["*"] } } }),
  "function.js": `export default async ({ topic, messages }) => {
    for (const message of messages) await cs.codeq.publish(topic, message);
  };`,
};

describe("event sources of a platform in one process", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;
  let events: EventApi;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    events = createEventApi(api);
    await events.deploySeen("seen");
    await events.deploySeen("slow");
    await api.deploy({ name: "publisher", files: PUBLISHER });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const publish = async (topic: string, messages: unknown[]): Promise<void> => {
    const { status } = await api.invoke("publisher", { topic, messages });
    assert.equal(status, "success");
  };

  test("every source of a topic gets every message that functions publish to it, and says so in the record", async () => {
    for (const name of ["one", "two"]) {
      await events.create({
        name: `sub-${name}`,
        type: "codeq",
        codeq: { topic: "orders" },
        ref: { function: "seen", alias: "prod" },
      });
    }
    await publish("orders", [{ n: 1 }, { n: 2 }]);
    for (const name of ["sub-one", "sub-two"]) {
      const bodies = (await events.seen(name, 2)).map(({ body }) => body);
      assert.deepEqual(
        bodies.toSorted((a, b) => a.n - b.n),
        [{ n: 1 }, { n: 2 }],
      );
    }
    const status = await events.status("sub-one");
    assert.deepEqual([status.state, status.succeeded, status.failed], ["running", 2, 0]);
    const record = await api.activation(String(status.last_activation_id));
    const { type, source } = record["trigger"] as { type: string; source: Record<string, unknown> };
    assert.deepEqual(
      [type, source["event_source"], source["event_source_type"]],
      ["event", "sub-one", "codeq"],
    );
    assert.match(String(source["message_id"]), /^msg_/);
    assert.deepEqual(record["principal"], {
      sub: "sp:cs-event-sources",
      roles: ["role:worker", "sp:cs-event-sources"],
    });
  });

  test("a poisoned batch isolates the one bad message, which becomes a dead letter and reaches on_failure", async () => {
    await events.create({
      name: "poisoned",
      type: "codeq",
      codeq: { topic: "poison" },
      ref: { function: "seen", alias: "prod" },
      batch_size: 8,
      batch_window_ms: 500,
      retry: { max_attempts: 2, backoff_ms: 10 },
      on_failure: { function: "seen@prod" },
    });
    await publish(
      "poison",
      Array.from({ length: 8 }, (_, n) => (n === 5 ? { n, fail: true } : { n })),
    );
    const good = await events.seen("poisoned", 7);
    assert.deepEqual(
      good.map(({ body }) => body.n).toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 6, 7],
    );
    await until(async () => (await events.status("poisoned")).failed === 1, "the bad one is given up");
    const { items } = await api.expect<{
      items: { function: string; activation_id: string; reason: string }[];
    }>(200, "GET", "/v1/tenants/t_default/namespaces/default/dlq?function=seen");
    assert.equal(items.length, 1, JSON.stringify(items));
    assert.match(items[0]?.reason ?? "", /poison 5/);
    const told = await events.destination(1);
    assert.deepEqual(
      told[0]?.requestPayload.Records.map(({ body }) => body.n),
      [5],
    );
  });

  test("what the function reports as failed is tried again alone, the rest is done", async () => {
    await events.create({
      name: "reported",
      type: "codeq",
      codeq: { topic: "report" },
      ref: { function: "seen", alias: "prod" },
      batch_window_ms: 300,
      retry: { max_attempts: 3, backoff_ms: 10 },
    });
    await publish("report", [{ n: 1 }, { n: 2, reportUntil: 2 }, { n: 3 }]);
    const good = await events.seen("reported", 3);
    assert.deepEqual(good.map(({ body }) => body.n).toSorted(), [1, 2, 3]);
    const status = await events.status("reported");
    assert.deepEqual([status.succeeded, status.failed], [3, 0]);
  });

  test("filters drop what they do not take", async () => {
    await events.create({
      name: "filtered",
      type: "codeq",
      codeq: { topic: "filter" },
      ref: { function: "seen", alias: "prod" },
      filters: [{ body: { n: [{ numeric: [">=", 10] }], region: [{ prefix: "eu-" }] } }],
    });
    await publish("filter", [
      { n: 10, region: "eu-1" },
      { n: 9, region: "eu-1" },
      { n: 11, region: "us-1" },
      { n: 12, region: "eu-2" },
    ]);
    assert.deepEqual((await events.seen("filtered", 2)).map(({ body }) => body.n).toSorted(), [10, 12]);
    await until(async () => (await events.status("filtered")).filtered === 2, "two are dropped");
  });

  test("a slow function does not stop the other sources", async () => {
    const slow = { type: "codeq", codeq: { topic: "slow" }, batch_size: 1, parallelism: 10 };
    await events.create({ ...slow, name: "sluggish", ref: { function: "slow", alias: "prod" } });
    await events.create({
      name: "quick",
      type: "codeq",
      codeq: { topic: "quick" },
      ref: { function: "seen", alias: "prod" },
    });
    await publish(
      "slow",
      Array.from({ length: 40 }, (_, n) => ({ n, waitMs: 2500 })),
    );
    await until(async () => (await events.status("sluggish")).in_flight > 0, "the slow one is busy");
    const begun = Date.now();
    await publish("quick", [{ n: 1 }]);
    await events.seen("quick", 1);
    assert.ok(Date.now() - begun < 2000, `${Date.now() - begun} ms`);
    assert.ok((await events.status("sluggish")).succeeded < 40);
    await api.expect(200, "DELETE", `${events.path}/sluggish`);
  });

  test("a paused source keeps its messages until it is resumed, and a rollback moves it with its alias", async () => {
    await events.deploySeen("moved");
    const ref = { function: "moved", alias: "prod" };
    await events.create({ name: "mover", type: "codeq", codeq: { topic: "move" }, ref });
    await publish("move", [{ n: 1 }]);
    await events.seen("mover", 1);
    await api.expect(200, "POST", `${events.path}/mover:pause`);
    await publish("move", [{ n: 2 }]);
    await events.deploySeen("moved", "second");
    await api.expect(200, "POST", `${events.path}/mover:resume`);
    const seen = await events.seen("mover", 2);
    assert.deepEqual(
      seen.map(({ body, version }) => [body.n, version]),
      [
        [1, 1],
        [2, 2],
      ],
    );
    await api.expect(200, "PUT", `${api.scope()}/moved/aliases/prod`, { version: 1 });
    await new Promise((resolve) => setTimeout(resolve, LIMITS.aliasCacheTtlMs));
    await publish("move", [{ n: 3 }]);
    assert.equal((await events.seen("mover", 3)).find(({ body }) => body.n === 3)?.version, 1);
  });

  test("without a role for events nothing is lost: the source says why, and goes on when it may", async () => {
    await api.deploy({
      name: "closed",
      files: SEEN,
      config: {
        authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: [], invoke_cadence_roles: [] },
      },
    });
    await events.create({
      name: "waiter",
      type: "codeq",
      codeq: { topic: "wait" },
      ref: { function: "closed", alias: "prod" },
    });
    await publish("wait", [{ n: 1 }]);
    await until(async () => (await events.status("waiter")).state === "failing", "it says so");
    assert.match((await events.status("waiter")).last_error?.message ?? "", /role list/);
    await events.publishSeen("closed");
    assert.deepEqual(
      (await events.seen("waiter", 1)).map(({ body }) => body),
      [{ n: 1 }],
    );
    await until(async () => (await events.status("waiter")).state === "running", "it is well again");
  });

  describe("webhooks", () => {
    const SECRET = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
    const url = (name: string): string => `/v1/events/t_default/default/${name}`;
    const send = (name: string, body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
      fetch(server.url + url(name), { method: "POST", body: body as string, headers });

    before(async () => {
      await events.secret("hook-key", SECRET);
      await events.secret("hub-key", "hunter2");
      const ref = { function: "seen", alias: "prod" };
      await events.create({
        name: "hook",
        type: "webhook",
        ref,
        webhook: { signature: { scheme: "standard-webhooks", secret: "hook-key" } },
      });
      await events.create({
        name: "hub",
        type: "webhook",
        ref,
        webhook: { signature: { scheme: "github", secret: "hub-key" } },
      });
      await events.create({ name: "open", type: "webhook", ref });
    });

    const signed = (id: string, body: string, at = new Date()): Record<string, string> => ({
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(SECRET).sign(id, at, body),
      "content-type": "application/json",
    });

    test("a signed webhook runs once, however often it is delivered", async () => {
      const body = JSON.stringify({ n: 1 });
      for (let delivery = 0; delivery < 3; delivery++) {
        const answer = await send("hook", body, signed("msg_1", body));
        assert.deepEqual([answer.status, await answer.json()], [202, { accepted: ["msg_1"] }]);
        await events.seen("hook", 1);
      }
      // A delivery that comes while the one before is at work is the same message.
      await until(async () => {
        const { succeeded, in_flight } = await events.status("hook");
        return succeeded >= 1 && in_flight === 0;
      }, "all deliveries are worked off");
      const [seen, ...more] = await events.seen("hook", 1);
      assert.deepEqual([seen?.body, seen?.messageId, seen?.runs, more], ['{"n":1}', "msg_1", 1, []]);
      assert.equal(seen?.headers?.["webhook-id"], "msg_1");
    });

    test("a wrong signature, an old one and none are refused with 401 and run nothing", async () => {
      const body = "{}";
      const wrong = signed("msg_2", '{"other":1}');
      const old = signed("msg_2", body, new Date(Date.now() - 3_600_000));
      for (const headers of [wrong, old, { "webhook-id": "msg_2" }]) {
        const answer = await send("hook", body, headers);
        assert.equal(answer.status, 401);
        assert.equal(
          ((await answer.json()) as { error: { code: string } }).error.code,
          "CS_EVENT_SIGNATURE_INVALID",
        );
      }
    });

    test("GitHub's form is understood", async () => {
      const body = JSON.stringify({ n: 7, zen: "Keep it logically awesome." });
      const mac = createHmac("sha256", "hunter2").update(body).digest("hex");
      const headers = {
        "x-hub-signature-256": `sha256=${mac}`,
        "x-github-delivery": "72d3162e-cc78-11e3",
        "x-github-event": "ping",
      };
      assert.equal((await send("hub", body, headers)).status, 202);
      const [seen] = await events.seen("hub", 1);
      assert.deepEqual([seen?.messageId, seen?.headers?.["x-github-event"]], ["72d3162e-cc78-11e3", "ping"]);
    });

    test("CloudEvents come in binary, structured and batched", async () => {
      const attributes = { specversion: "1.0", source: "/shop", type: "order.created" };
      const binary = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "b-1",
        "ce-source": "/shop",
        "ce-type": "order.created",
      };
      assert.equal((await send("open", '{"n":1}', binary)).status, 202);
      const structured = { ...attributes, id: "s-1", data: { n: 2 } };
      const json = (type: string) => ({ "content-type": `application/${type}; charset=utf-8` });
      assert.equal((await send("open", JSON.stringify(structured), json("cloudevents+json"))).status, 202);
      const batch = [3, 4].map((n) => ({ ...attributes, id: `x-${n}`, data: { n } }));
      const answer = await send("open", JSON.stringify(batch), json("cloudevents-batch+json"));
      assert.equal(((await answer.json()) as { accepted: string[] }).accepted.length, 2);
      const got = (await events.seen("open", 4)).map(({ cloudEvent }) => cloudEvent);
      assert.deepEqual(got.map((event) => [event?.id, event?.data.n]).toSorted(), [
        ["b-1", 1],
        ["s-1", 2],
        ["x-3", 3],
        ["x-4", 4],
      ]);
      const bad = await send(
        "open",
        JSON.stringify({ ...structured, specversion: "0.3" }),
        json("cloudevents+json"),
      );
      assert.equal(bad.status, 400);
    });

    test("bytes that are no text arrive as base64", async () => {
      const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
      const mac = createHmac("sha256", "hunter2").update(bytes).digest("hex");
      await send("hub", bytes, { "x-hub-signature-256": `sha256=${mac}`, "x-github-delivery": "bytes" });
      const seen = await events.seen("hub", 2);
      const { body, isBase64Encoded } = seen.find(({ messageId }) => messageId === "bytes") ?? {};
      assert.deepEqual([body, isBase64Encoded], [bytes.toString("base64"), true]);
    });

    test("a webhook of 1 MiB is taken, one byte more is 413", async () => {
      const max = "x".repeat(LIMITS.eventBodyBytesMax);
      assert.equal(
        (await send("open", max, { "content-type": "text/plain", "webhook-id": "large" })).status,
        202,
      );
      assert.equal((await send("open", `${max}x`, { "content-type": "text/plain" })).status, 413);
    });

    test("other paths and methods are refused", async () => {
      const statusOf = async (method: string, path: string): Promise<number> =>
        (await fetch(server.url + path, { method })).status;
      assert.equal(await statusOf("POST", url("nobody")), 404);
      assert.equal(await statusOf("POST", url("sub-one")), 404);
      assert.equal(await statusOf("GET", url("open")), 405);
      assert.equal(await statusOf("POST", "/v1/events/t_default/default/open/more"), 404);
      assert.equal(await statusOf("POST", "/v1/events/T/default/open"), 404);
    });
  });
});
