import test from "node:test";
import assert from "node:assert/strict";
import { readEventStream, type ServerSentEvent } from "./event-stream.ts";

async function read(...parts: (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield typeof part === "string" ? Buffer.from(part) : part;
  }
  const events: ServerSentEvent[] = [];
  for await (const event of readEventStream(source())) events.push(event);
  return events;
}

test("events carry type, data and id; comments and unknown fields are passed over", async () => {
  assert.deepEqual(
    await read(": hello\nretry: 5\nevent: chunk\nid: 4\ndata: {}\n\ndata: two\ndata:lines\n\n"),
    [
      { event: "chunk", data: "{}", id: "4" },
      { event: "message", data: "two\nlines", id: "4" },
    ],
  );
});

test("an event may be cut anywhere, also inside a character and a line end", async () => {
  const bytes = Buffer.from("data: grüße\r\n\r\ndata: b\r\r");
  for (let at = 1; at < bytes.length; at++) {
    const events = await read(bytes.subarray(0, at), bytes.subarray(at), "\n");
    assert.deepEqual(
      events.map((event) => event.data),
      ["grüße", "b"],
      `cut at ${at}`,
    );
  }
});

test("an event without data, and one that never ended, are not told", async () => {
  assert.deepEqual(await read("event: ping\n\ndata: half"), []);
});
