import assert from "node:assert/strict";
import { type Api, manifest, until } from "../support/api.ts";
import type { Deployed, Deployment } from "../support/deployments.ts";
import { createEventApi, type EventApi, type SeenRecord } from "../support/event-api.ts";

const PUBLISHER = {
  "manifest.json": manifest({
    limits: { timeoutMs: 20_000 },
    capabilities: { codeq: { publishTopics: ["*"] } },
  }),
  "function.js": `export default async ({ topic, messages }) => {
    for (const message of messages) await cs.codeq.publish(topic, message);
  };`,
};

/** The function of most sources: it keeps what it sees. */
export const SEEN_REF = { function: "seen", alias: "prod" };

/** A platform with functions for event sources. */
export interface EventWorld extends AsyncDisposable {
  deployed: Deployed;
  api: Api;
  events: EventApi;
  /** Publishes to a topic, from a function. */
  publish(topic: string, messages: unknown[]): Promise<void>;
  /** Pauses a source, and waits until every process has heard of it. */
  pause(source: string): Promise<void>;
}

/** Starts a platform whose sources may reach this machine. */
export async function openEventWorld(deployment: Deployment): Promise<EventWorld> {
  const deployed = await deployment.start({
    counts: { gateway: 1, invoker: 1, scheduler: 0, "event-sources": 2 },
    settings: { "egress.private_allow": ["127.0.0.0/8"], event_source_refresh_seconds: 1 },
  });
  const { api } = deployed;
  const events = createEventApi(api);
  await events.deploySeen("seen");
  await events.deploySeen("slow");
  await api.deploy({ name: "publisher", files: PUBLISHER });
  return {
    deployed,
    api,
    events,
    async publish(topic, messages) {
      const { status } = await api.invoke("publisher", { topic, messages });
      assert.equal(status, "success");
    },
    async pause(source) {
      await api.expect(200, "POST", `${events.path}/${source}:pause`);
      const isRead = new RegExp(`^cs_event_source_in_flight\\{.*source="${source}"`, "m");
      await until(async () => !isRead.test(await deployed.metrics()), `nobody reads ${source}`);
    },
    [Symbol.asyncDispose]: () => deployed[Symbol.asyncDispose](),
  };
}

/** Says that the record of the call that saw a message names its source and the message itself. */
export async function assertLinked(
  api: Api,
  seen: SeenRecord | undefined,
  expected: { source: string; type: string; message: string },
): Promise<void> {
  const record = await api.activation(String(seen?.activationId));
  const { type, source } = record["trigger"] as { type: string; source: Record<string, unknown> };
  const { event_source, event_source_type, message_id, message_ids = [message_id] } = source;
  assert.deepEqual(
    [type, event_source, event_source_type],
    ["event", expected.source, expected.type],
    JSON.stringify(record),
  );
  assert.ok(
    (message_ids as unknown[]).includes(expected.message),
    `${expected.message} is not in ${JSON.stringify(source)}`,
  );
  assert.deepEqual(record["principal"], {
    sub: "sp:cs-event-sources",
    roles: ["role:worker", "sp:cs-event-sources"],
  });
}
