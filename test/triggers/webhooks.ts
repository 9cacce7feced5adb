import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { before, describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { LIMITS } from "@sous/contract";
import { until } from "../support/api.ts";
import { assertLinked, type EventWorld, SEEN_REF } from "./event-world.ts";

/** What is taken at the addresses of event sources: webhooks and CloudEvents. */
export function describeWebhooks(world: () => EventWorld): void {
  describe("webhooks and CloudEvents", { concurrency: 1 }, () => {
    const SECRET = `whsec_${Buffer.alloc(32, 3).toString("base64")}`;
    const url = (name: string): string => `/v1/events/t_default/default/${name}`;
    const send = (name: string, body: string | Buffer, headers: Record<string, string>): Promise<Response> =>
      fetch(doorUrl() + url(name), { method: "POST", body: body as string, headers });
    let sent = 0;
    /** Every process that takes them, by turns. */
    const doorUrl = (): string => {
      const { doorUrls } = world().deployed;
      return doorUrls[sent++ % doorUrls.length] ?? "";
    };

    before(async () => {
      const { events } = world();
      await events.secret("hook-key", SECRET);
      await events.secret("hub-key", "hunter2");
      const ref = SEEN_REF;
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
      const { api, events } = world();
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
      await assertLinked(api, seen, { source: "hook", type: "webhook", message: "msg_1" });
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
      const { events } = world();
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
      const { api, events } = world();
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
      const seen = await events.seen("open", 4);
      const got = seen.map(({ cloudEvent }) => cloudEvent);
      assert.deepEqual(got.map((event) => [event?.id, event?.data.n]).toSorted(), [
        ["b-1", 1],
        ["s-1", 2],
        ["x-3", 3],
        ["x-4", 4],
      ]);
      for (const one of seen) {
        const message = String(one.messageId);
        await assertLinked(api, one, { source: "open", type: "webhook", message });
      }
      const bad = await send(
        "open",
        JSON.stringify({ ...structured, specversion: "0.3" }),
        json("cloudevents+json"),
      );
      assert.equal(bad.status, 400);
    });

    test("bytes that are no text arrive as base64", async () => {
      const { events } = world();
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

    test("other paths, methods and processes are refused", async () => {
      const { deployed, events } = world();
      const topic = { type: "codeq", codeq: { topic: "no-hook" }, ref: SEEN_REF };
      await events.create({ ...topic, name: "no-hook" });
      const statusOf = async (method: string, path: string, server = doorUrl()): Promise<number> =>
        (await fetch(server + path, { method })).status;
      assert.equal(await statusOf("POST", url("nobody")), 404);
      assert.equal(await statusOf("POST", url("no-hook")), 404);
      assert.equal(await statusOf("GET", url("open")), 405);
      assert.equal(await statusOf("POST", "/v1/events/t_default/default/open/more"), 404);
      assert.equal(await statusOf("POST", "/v1/events/T/default/open"), 404);
      const others = deployed.gatewayUrls.filter((each) => !deployed.doorUrls.includes(each));
      for (const other of others) assert.equal(await statusOf("POST", url("open"), other), 404);
    });
  });
}
