import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex, PassThrough } from "node:stream";
import { test } from "node:test";
import { createFrameReader, type FrameCursor, FrameError } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";

async function bytesOf(write: (writer: FrameWriter) => void): Promise<Buffer> {
  const stream = new PassThrough();
  const writer = new FrameWriter(stream);
  write(writer);
  writer.flush();
  stream.end();
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("frames come out as they went in, however the bytes are cut", async () => {
  const long = "ü€😀".repeat(40_000);
  const bytes = await bytesOf((writer) => {
    writer.begin(3).u32(7).string("hello").f64(1.5).u8(2).end();
    writer.begin(9).string(long).end();
    writer.begin(4).end();
  });
  for (const size of [1, 3, 7, 4096, bytes.length]) {
    const seen: unknown[] = [];
    const reader = createFrameReader(1 << 20, (type, cursor) => {
      if (type === 3) seen.push([cursor.u32(), cursor.string(100), cursor.f64(), cursor.u8()]);
      if (type === 9) seen.push(cursor.string(1 << 20) === long);
      if (type === 4) seen.push("empty");
      cursor.done();
    });
    // The reader keeps nothing of a chunk: whoever reads has one buffer.
    const chunk = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(chunk.subarray(0, bytes.copy(chunk, 0, at, at + size)));
      chunk.fill(0xff);
    }
    assert.deepEqual(seen, [[7, "hello", 1.5, 2], true, "empty"], `chunks of ${size}`);
  }
});

test("corked frames leave together, and at once when the cork is out", async () => {
  const stream = new PassThrough();
  const writer = new FrameWriter(stream);
  writer.cork();
  writer.begin(1).end();
  writer.begin(2).end();
  await new Promise(setImmediate);
  assert.equal(stream.read(), null);
  writer.uncork();
  assert.deepEqual([...(stream.read() as Buffer)], [1, 0, 0, 0, 1, 1, 0, 0, 0, 2]);
});

test("a patient writer keeps frames for the turn of the loop, but no more than eight", async () => {
  const stream = new PassThrough();
  const writer = new FrameWriter(stream);
  const taken = (): number => {
    let bytes = 0;
    for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null)
      bytes += chunk.length;
    return bytes / 5;
  };
  writer.patient = true;
  for (let frame = 0; frame < 7; frame++) writer.begin(1).end();
  await Promise.resolve();
  assert.equal(taken(), 0);
  writer.begin(1).end();
  assert.equal(taken(), 8);
  for (let frame = 0; frame < 19; frame++) writer.begin(1).end();
  assert.equal(taken(), 16);
  await new Promise(setImmediate);
  assert.equal(taken(), 3);
});

test("frames go to the file of the stream while it takes them, and keep their order when it does not", () => {
  const folder = mkdtempSync(join(tmpdir(), "sous-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const waiting: Buffer[] = [];
    let drain = (): void => {};
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        waiting.push(chunk);
        drain = done;
      },
    });
    const writer = new FrameWriter(stream, fd);
    // A pipe holds 64 KiB, or less: some frame goes in part, the others wait behind it.
    const texts = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(25_000));
    const direct = Buffer.alloc(1 << 20);
    for (const text of texts.slice(0, 4)) {
      writer.begin(1).string(text).end();
      writer.flush();
    }
    const taken = readSync(fd, direct, 0, direct.length, null);
    assert.ok(taken > 0 && taken < 100_000, `${taken} bytes`);
    // There is room in the file again, but not before what the stream has.
    writer
      .begin(1)
      .string(texts[4] ?? "")
      .end();
    writer.flush();
    while (stream.writableLength > 0) drain();
    const seen: string[] = [];
    const reader = createFrameReader(1 << 20, (_type, cursor) => void seen.push(cursor.string(1 << 20)));
    reader.push(direct.subarray(0, taken));
    for (const chunk of waiting) reader.push(chunk);
    assert.ok(
      texts.every((text, at) => text === seen[at]),
      `${seen.length} frames`,
    );
    writer.begin(1).string("f").end();
    writer.flush();
    assert.equal(readSync(fd, direct, 0, direct.length, null), 10);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});

test("frames that break the protocol are refused", () => {
  const frame = (length: number, ...rest: number[]): Buffer => {
    const buffer = Buffer.alloc(4 + rest.length);
    buffer.writeUInt32LE(length, 0);
    Buffer.from(rest).copy(buffer, 4);
    return buffer;
  };
  const read = (buffer: Buffer, use: (cursor: FrameCursor) => void) => () =>
    createFrameReader(64, (_type, cursor) => use(cursor)).push(buffer);
  assert.throws(
    read(frame(65, 1), () => {}),
    FrameError,
  );
  assert.throws(
    read(frame(0), () => {}),
    FrameError,
  );
  assert.throws(
    read(frame(2, 1, 1), (cursor) => cursor.u32()),
    FrameError,
  );
  assert.throws(
    read(frame(6, 1, 9, 0, 0, 0, 1), (cursor) => cursor.string(8)),
    FrameError,
  );
  assert.throws(
    read(frame(6, 1, 9, 0, 0, 0, 1), (cursor) => cursor.string(4)),
    FrameError,
  );
  assert.throws(
    read(frame(9, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f), (cursor) => cursor.f64()),
    FrameError,
  );
  assert.throws(
    read(frame(3, 1, 1, 2), (cursor) => (cursor.u8(), cursor.done())),
    FrameError,
  );
});

test("random bytes never do more than raise a frame error", () => {
  let seed = 42;
  const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff);
  for (let round = 0; round < 500; round++) {
    const bytes = Buffer.from(Array.from({ length: random() % 200 }, () => random() & 0xff));
    if (round % 2 === 0 && bytes.length >= 4) bytes.writeUInt32LE(random() % 60, 0);
    try {
      createFrameReader(64, (_type, cursor) => {
        cursor.u32();
        cursor.string(32);
        cursor.done();
      }).push(bytes);
    } catch (error) {
      assert.ok(error instanceof FrameError, String(error));
    }
  }
});
