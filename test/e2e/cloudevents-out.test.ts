import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type CloudEvent, HTTP } from "cloudevents";
import { CLOUDEVENTS_FORMATS } from "@sous/contract";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { createEventApi, type EventApi } from "../support/event-api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
const WORK = {
  "manifest.json": manifest({}),
  "function.js": `export default (event) => {
    if (event?.fail) throw new Error("it failed");
    return { got: event?.n ?? null };
  };`,
};

/** The record a destination is told, as `data` of an event. */
interface EndRecord {
  requestPayload: unknown;
  responsePayload: unknown;
  requestContext: { activation_id: string };
}

describe("ends that are told as CloudEvents", () => {
  const data = scratchFolder();
  let receiver: WebhookReceiver;
  let server: TestServer;
  let api: Api;
  let events: EventApi;

  before(async () => {
    receiver = await startWebhookReceiver(SECRET);
    server = await startServer({
      settings: {
        data: data.path,
        "egress.private_allow": ["127.0.0.1/32"],
        "limits.destination_backoff_ms": 20,
        "limits.destination_backoff_max_ms": 40,
      },
    });
    api = createApi(server.url);
    events = createEventApi(api);
    await events.secret("hook", SECRET);
    await events.deploySeen("seen");
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const deploy = (name: string, config: Record<string, unknown>) =>
    api.deploy({ name, files: WORK, config: { retry: { max_attempts: 1 }, ...config } });
  const source = (name: string) =>
    events.create({
      name,
      type: "webhook",
      ref: { function: "seen", alias: "prod" },
      webhook: { signature: { scheme: "standard-webhooks", secret: "hook" } },
    });
  const sourceUrl = (name: string): string => `${server.url}/v1/events/t_default/default/${name}`;

  async function enqueue(name: string, event: unknown): Promise<string> {
    const response = await api.enqueue(name, event);
    assert.equal(response.status, 202, await response.clone().text());
    return ((await response.json()) as { activation_id: string }).activation_id;
  }

  for (const format of CLOUDEVENTS_FORMATS) {
    describe(format, () => {
      const short = format.replace("cloudevents-", "");

      test("the official SDK reads success and failure, signed, under one id for every try", async () => {
        const webhook = { url: `${receiver.url}/${short}`, secret: "hook", format };
        await deploy(`told-${short}`, { on_success: { webhook }, on_failure: { webhook } });
        receiver.answers.set(`/${short}`, [{ status: 503, headers: { "retry-after": "0" } }]);
        const good = await enqueue(`told-${short}`, { n: 4 });
        const ofGood = () => receiver.received.filter(({ id }) => id === `dst_${good}`);
        await until(() => ofGood().length === 2, "the second try");
        const tries = ofGood().map(({ headers, body, verified }) => {
          assert.ok(verified);
          return HTTP.toEvent({ headers, body }) as CloudEvent<EndRecord>;
        });
        assert.deepEqual(tries[0], tries[1]);
        const [first] = tries;
        const { items } = await api.expect<{ items: { activation_id: string; end_ms: number }[] }>(
          200,
          "GET",
          `/v1/tenants/t_default/activations?function=told-${short}&namespace=default`,
        );
        assert.deepEqual(
          [first?.id, first?.source, first?.type, first?.subject, first?.datacontenttype, first?.time],
          [
            `dst_${good}`,
            `/v1/tenants/t_default/namespaces/default/functions/told-${short}`,
            "cs.activation.succeeded",
            good,
            "application/json",
            new Date(items.find(({ activation_id }) => activation_id === good)?.end_ms ?? 0).toISOString(),
          ],
        );
        assert.deepEqual(first?.data?.responsePayload, { got: 4 });
        const bad = await enqueue(`told-${short}`, { fail: true });
        const ofBad = () => receiver.received.find(({ id }) => id === `dst_${bad}`);
        await until(() => ofBad() !== undefined, "the failure");
        const { headers = {}, body = "" } = ofBad() ?? {};
        const failure = HTTP.toEvent({ headers, body }) as CloudEvent<EndRecord>;
        assert.deepEqual(
          [failure.type, failure.data?.requestPayload],
          ["cs.activation.failed", { fail: true }],
        );
      });

      test("an end told to a webhook source of the platform becomes one activation with its id", async () => {
        await source(`back-${short}`);
        const webhook = { url: sourceUrl(`back-${short}`), secret: "hook", format };
        await deploy(`round-${short}`, { on_success: { webhook } });
        const id = await enqueue(`round-${short}`, { n: 7 });
        const [seen] = await events.seen(`back-${short}`, 1);
        const event = seen?.cloudEvent as unknown as CloudEvent<EndRecord>;
        assert.deepEqual([event.id, event.subject, event.type], [`dst_${id}`, id, "cs.activation.succeeded"]);
        assert.equal(seen?.messageId, `${event.source}#dst_${id}`);
        assert.deepEqual(event.data?.requestPayload, { n: 7 });
        assert.equal(event.data?.requestContext.activation_id, id);
      });

      test("told twice, it runs once", async () => {
        await source(`twice-${short}`);
        // What the receiver got on both tries above, sent on as it came.
        const [first, second] = receiver.received.filter(({ path }) => path === `/${short}`);
        assert.ok(first !== undefined && second?.id === first.id);
        for (const { headers, body } of [first, second]) {
          const names = Object.keys(headers).filter((name) => /^(ce-|webhook-|content-type$)/.test(name));
          const sent = Object.fromEntries(names.map((name) => [name, headers[name] ?? ""]));
          const answer = await fetch(sourceUrl(`twice-${short}`), { method: "POST", headers: sent, body });
          assert.equal(answer.status, 202, await answer.text());
          await events.seen(`twice-${short}`, 1);
        }
        await until(async () => {
          const { succeeded, in_flight } = await events.status(`twice-${short}`);
          return succeeded >= 1 && in_flight === 0;
        }, "both are worked off");
        const [seen, ...more] = await events.seen(`twice-${short}`, 1);
        assert.deepEqual([seen?.runs, more], [1, []]);
      });
    });
  }

  test("a topic gets the event whole, and its subscribers as their body", async () => {
    await events.create({
      name: "ends",
      type: "codeq",
      codeq: { topic: "ends" },
      ref: { function: "seen", alias: "prod" },
    });
    await deploy("spread", { on_success: { topic: "ends", format: "cloudevents-structured" } });
    const id = await enqueue("spread", { n: 9 });
    const [seen] = await events.seen("ends", 1);
    const body = JSON.stringify(seen?.body);
    const event = HTTP.toEvent({
      headers: { "content-type": "application/cloudevents+json" },
      body,
    }) as CloudEvent<EndRecord>;
    assert.deepEqual([event.id, event.data?.requestPayload], [`dst_${id}`, { n: 9 }]);
  });

  test("a format that cannot be is refused when it is published; one that can is kept", async () => {
    const url = "https://example.com/hook";
    const files = Object.fromEntries(
      Object.entries(WORK).map(([path, text]) => [path, Buffer.from(text).toString("base64")]),
    );
    const publish = async (on_success: object): Promise<Response> => {
      const base = `${api.scope()}/shaped`;
      const { draft_id } = await api.expect<{ draft_id: string }>(200, "PUT", `${base}/draft`, { files });
      return await api.call("POST", `${base}/versions`, { draft_id, config: { on_success } });
    };
    await deploy("shaped", {});
    for (const refused of [
      { topic: "ends", format: "cloudevents-binary" },
      { function: "seen", format: "cloudevents-structured" },
      { webhook: { url, format: "cloudevents" } },
      { webhook: { url }, format: "cloudevents-binary" },
    ]) {
      const answer = await publish(refused);
      assert.equal(answer.status, 400, JSON.stringify(refused));
      await answer.body?.cancel();
    }
    for (const kept of [
      { topic: "ends", format: "cloudevents-structured" },
      { webhook: { url, format: "cloudevents-binary" } },
    ]) {
      const { version } = (await (await publish(kept)).json()) as { version: number };
      const { config } = await api.expect<{ config: { on_success: unknown } }>(
        200,
        "GET",
        `${api.scope()}/shaped/versions/${version}`,
      );
      assert.deepEqual(config.on_success, kept);
    }
  });
});
