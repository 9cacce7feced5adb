import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  finished,
  HELLO,
  NOW_MS,
  sampleActivation,
  sampleEntry,
  withCode,
} from "../contract-suite/samples.ts";
import { createSqliteStore } from "./sqlite-store.ts";

const UNAVAILABLE = withCode("CS_STORE_UNAVAILABLE");

/** Runs with a folder of its own and removes it. */
async function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "store-group-"));
  try {
    await body(join(folder, "data", "sous.db"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Counts the batches that go to write threads; each goes on to the real thread. */
function countPosts() {
  const post = Worker.prototype.postMessage;
  const posts = { count: 0, restore: () => void (Worker.prototype.postMessage = post) };
  Worker.prototype.postMessage = function (...args: Parameters<typeof post>) {
    posts.count++;
    return post.apply(this, args);
  };
  return posts;
}

test("past its bound the buffer refuses, and what it took is written", async () => {
  await using store = await createSqliteStore({ path: ":memory:", unwrittenMax: 100 });
  const records = Array.from({ length: 150 }, () => finished(sampleActivation()));
  const results = await Promise.allSettled(records.map((record) => store.activations.finish(record)));
  for (const [index, result] of results.entries()) {
    assert.equal(result.status, index < 100 ? "fulfilled" : "rejected", String(index));
    const record = records[index] ?? sampleActivation();
    const found = await store.activations.get(record.tenant, record.activation_id);
    assert.equal(found !== undefined, index < 100, "refused means not written, taken means written");
  }
  await store.check();
});

test("the buffer is bounded in bytes too", async () => {
  await using store = await createSqliteStore({ path: ":memory:", unwrittenBytesMax: 10_000 });
  const body = "x".repeat(6000);
  const writes = ["a", "b", "c"].map((id) => store.journal.append(sampleEntry(id, { body_json: body })));
  const results = await Promise.allSettled(writes);
  assert.deepEqual(
    results.map((result) => result.status),
    ["fulfilled", "fulfilled", "rejected"],
  );
  assert.equal((results[2] as PromiseRejectedResult).reason.code, "CS_STORE_UNAVAILABLE");
});

test("a refused write that nobody awaits but somebody catches is no unhandled rejection", async () => {
  await using store = await createSqliteStore({ path: ":memory:", unwrittenMax: 1 });
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listener);
  const caught: unknown[] = [];
  for (let n = 0; n < 3; n++) {
    store.activations.finish(finished(sampleActivation())).catch((error: unknown) => void caught.push(error));
  }
  store.logs.append("t_default", "id", ["line"]).catch((error: unknown) => void caught.push(error));
  await nextTurn();
  await nextTurn();
  process.off("unhandledRejection", listener);
  assert.deepEqual([caught.length, unhandled.length], [3, 0]);
});

test("what is worth a batch goes while the turn still runs, and what one tick writes is never divided", async () => {
  const posts = countPosts();
  try {
    await using store = await createSqliteStore({ path: ":memory:" });
    const written: Promise<void>[] = [];
    const append = () => void written.push(store.journal.append(sampleEntry(`msg_${written.length}`)));
    const ticks: number[] = [];
    // Callbacks of one turn: as those of sockets, each of them is a tick.
    for (let tick = 0; tick < 3; tick++) {
      setImmediate(() => {
        for (let n = 0; n < 100; n++) append();
        queueMicrotask(append);
      });
      setImmediate(() => void ticks.push(posts.count));
    }
    await nextTurn();
    assert.deepEqual(ticks, [1, 2, 3]);
    await Promise.all(written);
    assert.deepEqual([posts.count, written.length], [3, 303]);
  } finally {
    posts.restore();
  }
});

test("finished activations alone share commits, whatever the rate they come at", async () => {
  const posts = countPosts();
  try {
    await using store = await createSqliteStore({ path: ":memory:", relaxedPaceMs: 60_000 });
    const first = store.activations.finish(finished(sampleActivation()));
    assert.equal(await first, true, "the first after a quiet moment goes at once");
    const waiting: Promise<boolean>[] = [];
    for (let turn = 0; turn < 20; turn++) {
      waiting.push(store.activations.finish(finished(sampleActivation())));
      await nextTurn();
    }
    assert.equal(posts.count, 1, "the others wait for the pace");
    await store.check();
    assert.equal(posts.count, 2, "an urgent write takes them along");
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set([true]));
  } finally {
    posts.restore();
  }
});

test("when the write thread dies, what waits and what comes is refused with 503 and reads go on", async () => {
  const threads: Worker[] = [];
  const post = Worker.prototype.postMessage;
  // Only to get hold of the thread, for the kill.
  Worker.prototype.postMessage = function (...args: Parameters<typeof post>) {
    threads.push(this);
    return post.apply(this, args);
  };
  try {
    await using store = await createSqliteStore({ path: ":memory:" });
    await store.kv.set(HELLO, "a", "1", null);
    const waiting = store.kv.set(HELLO, "b", "1", null);
    await threads[0]?.terminate();
    await assert.rejects(waiting, UNAVAILABLE);
    await assert.rejects(store.check(), UNAVAILABLE);
    assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "1");
  } finally {
    Worker.prototype.postMessage = post;
  }
});

test("the database and its folder are the owner's alone, and closing leaves one file", async () => {
  await inFolder(async (path) => {
    const store = await createSqliteStore({ path });
    await store.check();
    for (const file of [path, `${path}-wal`]) assert.equal(statSync(file).mode & 0o077, 0, file);
    assert.equal(statSync(join(path, "..")).mode & 0o077, 0);
    await store[Symbol.asyncDispose]();
    assert.throws(() => statSync(`${path}-wal`), { code: "ENOENT" });
  });
});

test("the log is copied back while the store is open", async () => {
  await inFolder(async (path) => {
    await using store = await createSqliteStore({ path });
    const body = "x".repeat(100_000);
    for (let round = 0; round < 40; round++) {
      await Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          store.journal.append(sampleEntry(`m${round}-${n}`, { body_json: body })),
        ),
      );
    }
    assert.ok(statSync(path).size > 20_000_000, "40 MB were written; most are in the database by now");
    assert.ok(statSync(`${path}-wal`).size < 40_000_000, "and the log started over");
  });
});

test("another process's lock is waited for, not passed on as an error", async () => {
  await inFolder(async (path) => {
    await using store = await createSqliteStore({ path });
    await store.check();
    const other = new DatabaseSync(path);
    other.exec("begin immediate");
    const write = store.kv.set(HELLO, "a", "1", null);
    await nextTurn();
    assert.equal(await store.kv.get(HELLO, "a", NOW_MS), undefined, "reads do not wait");
    other.exec("commit");
    other.close();
    await write;
    assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "1");
  });
});

test("a lock that is held too long refuses the batch with 503, and the next one is taken", async () => {
  await inFolder(async (path) => {
    await using store = await createSqliteStore({ path, busyTimeoutMs: 50 });
    const other = new DatabaseSync(path);
    other.exec("begin immediate");
    await assert.rejects(store.kv.set(HELLO, "a", "1", null), UNAVAILABLE);
    other.exec("rollback");
    other.close();
    await store.kv.set(HELLO, "a", "2", null);
    assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "2");
  });
});

test("an idle store does not keep its process alive, and work under way does", async () => {
  const code = `
    import { createSqliteStore } from ${JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href)};
    const store = await createSqliteStore({ path: ":memory:" });
    store.check().then(() => console.log("written"));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  const [status] = (await once(child, "close")) as [number];
  assert.deepEqual([status, output], [0, "written\n"]);
});
