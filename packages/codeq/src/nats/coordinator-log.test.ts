import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlatformError } from "@sous/contract";
import type { JournalEntry } from "@sous/store";
import { withNats } from "@sous/store/testing";
import { eventually, unique } from "../contract/harness.ts";
import { CoordinatorLog } from "./coordinator-log.ts";
import { leadRecord, type LoggedMessage } from "./log-records.ts";
import { LogStream } from "./log-stream.ts";
import { NatsLink } from "./nats-link.ts";
import { parseNatsUrl } from "./nats-url.ts";

const entry = (id: string, body: string): JournalEntry => ({
  id,
  topic: "topic",
  tenant: "t_first1",
  lane: "default/first",
  body_json: body,
  attempt: 1,
  enqueued_at_ms: 1000,
  due_at_ms: 0,
  expires_at_ms: 2000,
  dead: false,
  dead_reason: null,
});

const shown = ({ entry: { id, attempt, dead_reason }, durable, claim }: LoggedMessage) => ({
  id,
  attempt,
  reason: dead_reason,
  durable,
  token: claim?.token ?? null,
});

withNats({}, (server) => {
  async function openStream() {
    const target = parseNatsUrl(`${server().url}?prefix=${unique("log")}`);
    const link = await NatsLink.open({ target, random: Math.random, report: assert.fail });
    return { link, stream: await LogStream.open(target, link) };
  }

  async function lead(stream: LogStream, slack?: { messages: number; bytes: number }) {
    const { lastSequence } = await stream.state();
    const sequence = await stream.append(`[${leadRecord("test")}]`, lastSequence);
    assert.ok(sequence !== undefined);
    const lost: PlatformError[] = [];
    const onLost = (error: PlatformError): void => void lost.push(error);
    const opened = await CoordinatorLog.open({
      stream,
      sequence,
      lengthMax: 100_000,
      slack,
      onLost,
      report: assert.fail,
    });
    return { ...opened, lost };
  }

  test("the next one finds what was written, in the order of publishing", async () => {
    const { link, stream } = await openStream();
    await using _ = link;
    const { log } = await lead(stream);
    log.expectVolatile("a");
    void log.append(entry("a", "1"));
    void log.append(entry("b", "2"));
    void log.append(entry("c", "3"));
    void log.claimed("a", 1, { token: "first", untilMs: 5 });
    void log.claimed("b", 1, { token: "second", untilMs: 5 });
    void log.update({ ...entry("b", ""), attempt: 2 });
    void log.update({ ...entry("c", ""), dead: true, dead_reason: "broken" });
    void log.append(entry("d", "4"));
    await log.remove("d");
    const { messages } = await lead(stream);
    assert.deepEqual(messages.map(shown), [
      { id: "a", attempt: 1, reason: null, durable: false, token: "first" },
      { id: "b", attempt: 2, reason: null, durable: true, token: null },
      { id: "c", attempt: 1, reason: "broken", durable: true, token: null },
    ]);
    assert.deepEqual(
      messages.map(({ entry: { body_json } }) => body_json),
      ["1", "2", "3"],
    );
  });

  test("one that was replaced can write nothing any more, and says so once", async () => {
    const { link, stream } = await openStream();
    await using _ = link;
    const first = await lead(stream);
    await first.log.append(entry("a", "1"));
    const second = await lead(stream);
    const refused = { code: "CS_CODEQ_PUBLISH_FAILED" };
    await Promise.all([
      assert.rejects(first.log.append(entry("b", "2")), refused),
      assert.rejects(first.log.append(entry("c", "3")), refused),
    ]);
    await assert.rejects(first.log.probe(), refused);
    assert.equal(first.lost.length, 1);
    await second.log.append(entry("d", "4"));
    const { messages } = await lead(stream);
    assert.deepEqual(
      messages.map(({ entry: { id } }) => id),
      ["a", "d"],
    );
  });

  test("the log is cleaned while it is written, and loses nothing", async () => {
    const { link, stream } = await openStream();
    await using _ = link;
    const { log } = await lead(stream, { messages: 50, bytes: 1024 * 1024 });
    for (const id of ["kept", "claimed", "dead"]) void log.append(entry(id, `body of ${id}`));
    void log.claimed("claimed", 3, { token: "holder", untilMs: 5 });
    void log.update({ ...entry("dead", "body of dead"), dead: true, dead_reason: "too old" });
    for (let at = 0; at < 400; at++) {
      await log.append(entry(`m${at}`, "x".repeat(100)));
      await log.remove(`m${at}`);
    }
    await eventually("it is short", async () => {
      const { firstSequence, lastSequence } = await stream.state();
      return lastSequence - firstSequence < 200;
    });
    const next = await lead(stream);
    assert.deepEqual(
      next.messages.map(({ entry: { id, body_json, attempt } }) => [id, body_json, attempt]),
      [
        ["kept", "body of kept", 1],
        ["claimed", "body of claimed", 3],
        ["dead", "body of dead", 1],
      ],
    );
    assert.equal(next.messages[1]?.claim?.token, "holder");
    assert.equal(next.messages[2]?.entry.dead_reason, "too old");
    await next.log.remove("dead");
    const { messages } = await lead(stream);
    assert.deepEqual(
      messages.map(({ entry: { id } }) => id),
      ["kept", "claimed"],
    );
  });

  test("of two with one id the newer one counts: an earlier release had let go of the older before anybody heard of its end", async () => {
    const { link, stream } = await openStream();
    await using _ = link;
    const { log } = await lead(stream);
    await log.append(entry("a", "old"));
    await log.append(entry("a", "new"));
    const next = await lead(stream);
    assert.deepEqual(
      next.messages.map(({ entry: { body_json } }) => body_json),
      ["new"],
    );
    await next.log.remove("a");
    assert.deepEqual((await lead(stream)).messages, []);
  });
});
