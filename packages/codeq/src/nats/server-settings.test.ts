import assert from "node:assert/strict";
import { test } from "node:test";
import { withNats } from "@sous/store/testing";
import { message, unique } from "../contract/harness.ts";
import type { ContractBody, ContractResult } from "../contract/index.ts";
import { createNatsCodeQ } from "./create-nats-codeq.ts";

const open = (url: string, onWarning?: (text: string) => void) =>
  createNatsCodeQ<ContractBody, ContractResult>({ url, clock: Date.now, onError: assert.fail, onWarning });
const durable = { depthMax: 10, durable: true };
const failed = (pattern: RegExp) => (error: Error & { code?: string }) => {
  assert.equal(error.code, "CS_CODEQ_PUBLISH_FAILED");
  assert.match(error.message, pattern);
  assert.doesNotMatch(error.message, /hunter2/);
  return true;
};

withNats({ payloadBytesMax: 1024 * 1024 }, (server) => {
  test("a server that carries little is named, a message too large for it refused, and a result goes in parts", async () => {
    const warnings: string[] = [];
    await using queue = await open(server().url, (text) => void warnings.push(text));
    assert.match(warnings.join(), /max_payload: 16MB/);
    const topic = unique("topic");
    const tooLarge = queue.publish(message(topic, "x".repeat(1_100_000)), durable);
    await assert.rejects(tooLarge, { code: "CS_PAYLOAD_TOO_LARGE" });
    // Fewer characters than bytes: in UTF-8, and escaped twice.
    const escaped = queue.publish(message(topic, '\u20ac"'.repeat(200_000)), durable);
    await assert.rejects(escaped, { code: "CS_PAYLOAD_TOO_LARGE" });
    await queue.publish(message(topic, "\u20ac".repeat(100_000)), durable);
    await using channel = await queue.openReplies();
    const received = Promise.withResolvers<ContractResult>();
    const address = channel.expect("one", received.resolve);
    const text = '\u20ac\u0001"y'.repeat(300_000);
    queue.reply(address, "one", { text });
    assert.ok((await received.promise).text === text);
  });
});

withNats({ jetstream: false }, (server) => {
  test("a server without JetStream is refused by name", async () => {
    await assert.rejects(open(server().url), failed(/jetstream is not enabled/));
  });
});

withNats({ login: { user: "me", password: "right" } }, (server) => {
  test("a wrong password is refused and not shown, the right one opens", async () => {
    const as = (login: string): string => server().url.replace("//", `//${login}@`);
    await assert.rejects(open(as("me:hunter2")), failed(/Authorization/));
    await using queue = await open(as("me:right"));
    await queue.check();
  });
});
