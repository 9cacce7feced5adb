import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContractCodeQ, type ContractResult, eventually, unique } from "./harness.ts";

/** Results find the ingress that waits for them, and nobody else. */
export function replyContract(open: () => Promise<ContractCodeQ>): void {
  test("a result reaches its channel and its request only, once", async () => {
    await using queue = await open();
    await using here = await queue.openReplies();
    await using there = await queue.openReplies();
    assert.notEqual(here.name, there.name);
    const [one, two] = [unique("req"), unique("req")];
    const received: string[] = [];
    const note =
      (who: string) =>
      ({ text }: ContractResult): void => {
        received.push(`${who} ${text}`);
      };
    here.expect(one, note("here one"));
    here.expect(two, note("here two"));
    there.expect(one, note("there one"));
    queue.reply(here.name, one, { text: "first" });
    queue.reply(there.name, two, { text: "nobody asked" });
    queue.reply(here.name, one, { text: "again" });
    queue.reply(here.name, two, { text: "second" });
    await eventually("both results arrive", () => received.length >= 2);
    await sleep(100);
    assert.deepEqual(received, ["here one first", "here two second"]);
  });

  test("a result nobody waits for any more is dropped", async () => {
    await using queue = await open();
    await using channel = await queue.openReplies();
    const closed = await queue.openReplies();
    const received: string[] = [];
    const request = unique("req");
    channel.expect(request, ({ text }) => received.push(text));
    channel.forget(request);
    closed.expect(request, ({ text }) => received.push(text));
    await closed[Symbol.asyncDispose]();
    queue.reply(channel.name, request, { text: "forgotten" });
    queue.reply(closed.name, request, { text: "closed" });
    queue.reply(unique("unknown"), request, { text: "unknown" });
    await sleep(100);
    assert.deepEqual(received, []);
  });

  test("a queue that works says so", async () => {
    await using queue = await open();
    await queue.check();
  });
}
