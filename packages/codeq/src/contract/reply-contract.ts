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
    const [one, two] = [unique("req"), unique("req")];
    const received: string[] = [];
    const note =
      (who: string) =>
      ({ text }: ContractResult): void => {
        received.push(`${who} ${text}`);
      };
    const hereOne = here.expect(one, note("here one"));
    const hereTwo = here.expect(two, note("here two"));
    const thereOne = there.expect(one, note("there one"));
    assert.notEqual(hereOne, thereOne);
    queue.reply(hereOne, one, { text: "first" });
    queue.reply(thereOne, two, { text: "nobody asked" });
    queue.reply(hereOne, one, { text: "again" });
    queue.reply(hereTwo, two, { text: "second" });
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
    const forgotten = channel.expect(request, ({ text }) => received.push(text));
    channel.forget(forgotten, request);
    const left = closed.expect(request, ({ text }) => received.push(text));
    await closed[Symbol.asyncDispose]();
    queue.reply(forgotten, request, { text: "forgotten" });
    queue.reply(left, request, { text: "closed" });
    queue.reply(unique("unknown"), request, { text: "unknown" });
    await sleep(100);
    assert.deepEqual(received, []);
  });

  test("a result that comes late reaches nobody who waits at the same address", async () => {
    await using queue = await open();
    await using channel = await queue.openReplies();
    const received: string[] = [];
    const [early, late] = [unique("req"), unique("req")];
    const address = channel.expect(early, ({ text }) => received.push(text));
    channel.forget(address, early);
    const again = channel.expect(late, ({ text }) => received.push(text));
    queue.reply(address, early, { text: "late" });
    queue.reply(again, late, { text: "in time" });
    await eventually("the result arrives", () => received.length > 0);
    await sleep(50);
    assert.deepEqual(received, ["in time"]);
  });

  test("a queue that works says so", async () => {
    await using queue = await open();
    await queue.check();
  });
}
