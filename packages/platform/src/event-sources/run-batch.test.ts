import assert from "node:assert/strict";
import test from "node:test";
import { type EventSourceRecord, PlatformError } from "@sous/contract";
import type { Held } from "./message-buffer.ts";
import { type BatchEnd, runBatch } from "./run-batch.ts";
import type { EventBatch, EventEnd } from "./submit-events.ts";

const held = (id: string, key?: string, attempt = 1): Held => ({
  message: { id, attempt, json: "{}", match: {} },
  place: 0,
  key,
  bytes: 2,
  readAtMs: 0,
  attempt,
  tries: 1,
  alone: false,
  dueAtMs: 0,
});

type Answer = Partial<EventEnd> | "throw";
const FAILED: Answer = { error: { type: "Exception", message: "no" } };
const EXPIRED: Answer = { error: { type: "Expired", message: "too old" } };
const report = (...ids: string[]): Answer => ({
  result: {
    statusCode: 200,
    headers: {},
    body: JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }),
    isBase64Encoded: false,
  },
});

/** Runs a batch with a function of our choice. @returns how it ended, and the calls in order, last ones marked */
async function run(
  batch: readonly Held[],
  answer: (ids: string[], call: EventBatch) => Answer,
  { bisect = true, attemptsMax = 3 } = {},
) {
  const calls: string[] = [];
  const end = await runBatch(
    {
      source: { bisect_on_error: bisect } as EventSourceRecord,
      partition: "all",
      submitter: {
        async run(_source, call) {
          const ids = call.messages.map(({ id }) => id);
          calls.push(ids.join("") + (call.isLast ? "!" : ""));
          const said = answer(ids, call);
          if (said === "throw") throw new PlatformError("CS_QUEUE_FULL", "full");
          return { activationId: "", error: undefined, result: undefined, isCancelled: false, ...said };
        },
        refuse: () => Promise.reject(new Error("nothing is refused here")),
      },
      isLast: ({ attempt }) => attempt >= attemptsMax,
      expiresAtMs: () => Infinity,
      onEnd: () => {},
      signal: new AbortController().signal,
    },
    batch,
  );
  const text = (list: readonly Held[]): string => list.map(({ message }) => message.id).join("");
  const shown = (Object.keys(end) as (keyof BatchEnd)[]).map((name) => `${name}:${text(end[name])}`);
  return { end: shown.filter((part) => !part.endsWith(":")).join(" "), calls: calls.join(" ") };
}

const abcdefgh = "abcdefgh".split("").map((id) => held(id));

test("a call that goes well ends all of its messages", async () => {
  assert.deepEqual(await run(abcdefgh, () => ({})), { end: "succeeded:abcdefgh", calls: "abcdefgh" });
});

test("a poisoned batch is halved until the bad message is alone, all others have run once and well", async () => {
  const { end, calls } = await run(abcdefgh, (ids) => (ids.includes("f") ? FAILED : {}));
  assert.equal(end, "succeeded:abcdegh failed:f");
  assert.equal(calls, "abcdefgh abcd efgh ef e f gh");
});

test("two bad messages are both found", async () => {
  const { end } = await run(abcdefgh, (ids) => (ids.some((id) => "bg".includes(id)) ? FAILED : {}));
  assert.equal(end, "succeeded:acdefh failed:bg");
});

test("a message that is alone and has no attempt left is given up with a call that says so", async () => {
  const last = [held("a", undefined, 3), held("b", undefined, 3)];
  assert.deepEqual(await run(last, (ids) => (ids.includes("b") ? FAILED : {})), {
    end: "succeeded:a givenUp:b",
    calls: "ab a! b!",
  });
});

test("without bisecting a batch stands and falls as one", async () => {
  const plain = { bisect: false };
  assert.deepEqual(await run(abcdefgh, () => FAILED, plain), { end: "failed:abcdefgh", calls: "abcdefgh" });
  const last = [held("a", undefined, 3), held("b", undefined, 3)];
  assert.deepEqual(await run(last, () => FAILED, plain), { end: "givenUp:ab", calls: "ab!" });
});

test("items that are reported as failed have failed, the others are done", async () => {
  assert.equal((await run(abcdefgh, () => report("b", "h"))).end, "succeeded:acdefg failed:bh");
});

test("a report of an item that was not in the batch fails all of it", async () => {
  assert.equal((await run(abcdefgh, () => report("b", "x"))).end, "failed:abcdefgh");
});

test("what a last call only reports is not given up with what it does not: it has its last call alone", async () => {
  const last = ["a", "b", "c"].map((id) => held(id, undefined, 3));
  const { end, calls } = await run(last, () => report("b"), { bisect: false });
  assert.deepEqual([end, calls], ["succeeded:ac failed:b", "abc!"]);
  assert.deepEqual(
    last.map(({ alone }) => alone),
    [false, true, false],
  );
});

test("what follows a failed message of its key counts as not run, reported or halved", async () => {
  const keyed = [held("a", "1"), held("b", "2"), held("c", "1"), held("d", "2")];
  assert.equal((await run(keyed, () => report("a"))).end, "succeeded:bd failed:a untried:c");
  const halved = await run(keyed, (ids) => (ids.includes("a") ? FAILED : {}));
  assert.deepEqual(halved, { end: "succeeded:bd failed:a untried:c", calls: "abcd ab a b d" });
});

test("a key goes on behind a message that was given up", async () => {
  const keyed = [held("a", "1", 3), held("b", "1", 1)];
  assert.equal((await run(keyed, (ids) => (ids.includes("a") ? FAILED : {}))).end, "succeeded:b givenUp:a");
});

test("a first call that cannot be queued is thrown, a later one leaves the rest untried", async () => {
  await assert.rejects(
    run(abcdefgh, () => "throw"),
    { code: "CS_QUEUE_FULL" },
  );
  const { end } = await run(abcdefgh, (ids) => (ids.length === 8 ? FAILED : ids[0] === "e" ? "throw" : {}));
  assert.equal(end, "succeeded:abcd untried:efgh");
});

test("a call somebody cancelled is over", async () => {
  assert.equal((await run(abcdefgh, () => ({ isCancelled: true }))).end, "succeeded:abcdefgh");
});

test("what ended unrun because it waited for too long has not failed, and is not halved; at last it is given up", async () => {
  const keyed = [held("a", "1"), held("b")];
  assert.deepEqual(await run(keyed, () => EXPIRED), { end: "expired:ab", calls: "ab" });
  const halved = await run([...keyed, held("c", "1"), held("d")], (ids) =>
    ids.length === 4 ? FAILED : ids.includes("a") ? EXPIRED : {},
  );
  assert.deepEqual(halved, { end: "succeeded:d untried:c expired:ab", calls: "abcd ab d" });
  const last = await run([held("a", undefined, 3)], () => EXPIRED);
  assert.deepEqual(last, { end: "givenUp:a", calls: "a!" });
});
