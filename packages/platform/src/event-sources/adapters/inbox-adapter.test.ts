import { randomUUID } from "node:crypto";
import { createMemoryCodeQ } from "@sous/codeq";
import { createRedisCodeQ } from "@sous/codeq/redis";
import { createMapJournal } from "@sous/codeq/contract";
import { withRedis } from "@sous/store/testing";
import { type InboxBody, type InboxQueue, putIntoInbox } from "../../events/inbox.ts";
import { describeAdapterContract } from "../testing/describe-adapter-contract.ts";
import { type Numbered, recordOf, type SourceWorld } from "../testing/source-world.ts";
import { createInboxAdapter } from "./inbox-adapter.ts";

describeAdapterContract(
  "a topic in memory",
  async () =>
    openTopic(await createMemoryCodeQ<InboxBody, unknown>({ clock: Date.now, journal: createMapJournal() })),
  { ordered: true, remote: false },
);

withRedis({ durable: true }, (server) => {
  describeAdapterContract(
    "a topic in Redis",
    async () => openTopic(await createRedisCodeQ<InboxBody, unknown>({ url: server().url, clock: Date.now })),
    { ordered: true, remote: false },
  );
});

function openTopic(codeq: InboxQueue & AsyncDisposable): SourceWorld {
  const world: SourceWorld = {
    source: { uid: randomUUID(), type: "codeq", codeq: { topic: "orders" }, ordering_key: "body.key" },
    open: async (context) => createInboxAdapter(codeq, context),
    async put(messages) {
      for (const message of messages) {
        const payload_json = JSON.stringify(message);
        const id = randomUUID();
        const body: InboxBody = { kind: "topic", id, topic: "orders", payload_json, depth: 0 };
        await putIntoInbox(codeq, recordOf(world), body, Date.now());
      }
    },
    read: ({ match }) => (match as { body: Numbered }).body,
    [Symbol.asyncDispose]: () => codeq[Symbol.asyncDispose](),
  };
  return world;
}
