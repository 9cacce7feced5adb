import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  finished,
  HELLO,
  NOW_MS,
  sampleActivation,
  sampleEntry,
  sampleFunction,
  withCode,
} from "../contract-suite/samples.ts";
import type { Store } from "../store.ts";
import { type PostgresServer, startPostgres, startProxy, type TcpProxy } from "../testing/index.ts";
import { createPostgresStore, type PostgresStoreOptions } from "./postgres-store.ts";
import { describeWithPostgres } from "./testing/with-postgres.ts";

const UNAVAILABLE = withCode("CS_STORE_UNAVAILABLE");
const PATIENCE = { connectMs: 3000, statementMs: 1500, answerMs: 2500 };
/** What the server sends when a transaction was committed. */
const COMMITTED = Buffer.from("COMMIT\0");

describeWithPostgres("an outage of PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => void (server = await startPostgres({ durable: true })));
  after(() => server[Symbol.asyncDispose]());

  async function through(
    body: (store: Store, proxy: TcpProxy, url: string) => Promise<void>,
    options: Partial<PostgresStoreOptions> = {},
  ): Promise<void> {
    await using proxy = await startProxy(server.port);
    const { name, url: direct } = server.database();
    const url = `postgres://sous@127.0.0.1:${proxy.port}/${name}`;
    await using store = await createPostgresStore({ url, patience: PATIENCE, ...options });
    await body(store, proxy, direct);
  }

  /** Waits for something that has to come, and quickly. */
  async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
    return await Promise.race([
      promise,
      sleep(ms, undefined, { ref: false }).then(() => assert.fail("hangs")),
    ]);
  }

  test("a connection that was cut is made anew, and the next call does not notice", async () => {
    await through(async (store, proxy) => {
      await store.kv.set(HELLO, "a", "1", null);
      assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "1");
      proxy.cut();
      await sleep(50);
      assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "1");
      await store.kv.set(HELLO, "a", "2", null);
      assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "2");
    });
  });

  test("while nobody answers at the address, reads and writes are refused at once", async () => {
    await through(async (store, proxy) => {
      await store.check();
      proxy.refuse(true);
      proxy.cut();
      await sleep(20);
      for (let round = 0; round < 3; round++) {
        await assert.rejects(within(2000, store.kv.set(HELLO, "a", "1", null)), UNAVAILABLE);
        await assert.rejects(within(2000, store.kv.get(HELLO, "a", NOW_MS)), UNAVAILABLE);
        await assert.rejects(within(2000, store.check()), UNAVAILABLE);
      }
      proxy.refuse(false);
      await store.check();
      assert.equal(await store.kv.get(HELLO, "a", NOW_MS), undefined, "refused means not written");
    });
  });

  test("a server that falls silent is given up after its time, and found again", async () => {
    await through(async (store, proxy) => {
      await store.check();
      await store.kv.get(HELLO, "a", NOW_MS);
      proxy.hold(true);
      const calls: Promise<unknown>[] = [
        store.kv.set(HELLO, "a", "1", null),
        store.functions.create(sampleFunction()),
        store.kv.get(HELLO, "a", NOW_MS),
      ];
      for (const call of calls) call.catch(() => {});
      for (const call of calls) await assert.rejects(within(9000, call), UNAVAILABLE);
      await store.kv.set(HELLO, "b", "1", null);
      assert.equal(await store.kv.get(HELLO, "b", NOW_MS), "1");
    });
  });

  test("a lock somebody holds for too long refuses the batch, and the next one is taken", async () => {
    await through(async (store, _proxy, direct) => {
      const record = sampleActivation();
      await store.activations.create(record);
      const { Client } = await import("pg");
      const other = new Client(direct);
      await other.connect();
      await other.query("begin");
      await other.query("select from activations for update");
      await assert.rejects(within(6000, store.activations.finish(finished(record))), UNAVAILABLE);
      await store.kv.set(HELLO, "a", "1", null);
      await other.end();
      assert.equal(await store.activations.finish(finished(record)), true);
    });
  });

  test("a commit whose answer is lost is asked after: it happened, and its callers hear so", async () => {
    await through(async (store, proxy) => {
      const record = sampleActivation();
      await store.activations.create(record);
      let isLost = false;
      proxy.onAnswer = (chunk) => {
        if (isLost || !chunk.includes(COMMITTED)) return false;
        isLost = true;
        return true;
      };
      const results = await Promise.allSettled([
        store.activations.finish(finished(record)),
        store.activations.finish(finished(record, "error")),
        store.functions.softDelete(HELLO, NOW_MS),
        store.kv.set(HELLO, "a", "1", null),
      ]);
      assert.ok(isLost);
      assert.deepEqual(results[0], { status: "fulfilled", value: true });
      assert.deepEqual(results[1], { status: "fulfilled", value: false });
      assert.equal((results[2] as PromiseRejectedResult).reason.code, "CS_NOT_FOUND");
      assert.equal(results[3]?.status, "fulfilled");
      assert.equal((await store.activations.get(record.tenant, record.activation_id))?.status, "success");
    });
  });

  test("a commit that never arrived is asked after too: it is refused, and did not happen", async () => {
    await through(async (store, proxy) => {
      await store.check();
      // The last answer before the commit: that of the writer's mark.
      proxy.onAnswer = (chunk) => {
        if (!chunk.includes("UPDATE 1\0")) return false;
        proxy.onAnswer = undefined;
        return true;
      };
      await assert.rejects(store.kv.set(HELLO, "a", "1", null), UNAVAILABLE);
      assert.equal(await store.kv.get(HELLO, "a", NOW_MS), undefined);
      await store.kv.set(HELLO, "a", "2", null);
    });
  });

  test("where the server cannot be asked after a lost commit, the caller hears that nobody knows", async () => {
    await through(async (store, proxy) => {
      await store.check();
      proxy.onAnswer = (chunk) => {
        if (!chunk.includes(COMMITTED)) return false;
        proxy.refuse(true);
        return true;
      };
      const write = store.kv.set(HELLO, "a", "1", null);
      await assert.rejects(write, (error: Error & { code?: string; details?: object }) => {
        assert.equal(error.code, "CS_STORE_UNAVAILABLE");
        assert.deepEqual(error.details, { outcome: "unknown" });
        assert.match(error.message, /may have happened or not/);
        return true;
      });
      proxy.onAnswer = undefined;
      proxy.refuse(false);
      assert.equal(await store.kv.get(HELLO, "a", NOW_MS), "1");
    });
  });

  test("what was acknowledged is there after the server died as in a power cut", async () => {
    await through(async (store) => {
      const acknowledged: string[] = [];
      let isOver = false;
      const write = async (lane: number): Promise<void> => {
        for (let n = 0; !isOver; n++) {
          const id = `msg_${lane}_${n}`;
          try {
            await store.journal.append(sampleEntry(id));
            acknowledged.push(id);
          } catch (error) {
            assert.equal((error as { code?: string }).code, "CS_STORE_UNAVAILABLE");
            await sleep(5);
          }
        }
      };
      const lanes = [0, 1, 2, 3].map(write);
      await sleep(300);
      await server.kill();
      const before = acknowledged.length;
      assert.ok(before > 0);
      await sleep(100);
      await server.restart();
      await sleep(300);
      isOver = true;
      await Promise.all(lanes);
      assert.ok(acknowledged.length > before, "writes go on without a restart of the platform");
      const ids = new Set((await store.journal.load()).map((entry) => entry.id));
      const lost = acknowledged.filter((id) => !ids.has(id));
      assert.deepEqual(lost, []);
    });
  });

  test("a store that closes during an outage refuses what it cannot write and ends", async () => {
    await through(async (store, proxy) => {
      await store.check();
      proxy.refuse(true);
      proxy.cut();
      const write = store.kv.set(HELLO, "a", "1", null);
      write.catch(() => {});
      await within(6000, Promise.resolve(store[Symbol.asyncDispose]()));
      await assert.rejects(write, UNAVAILABLE);
    });
  });
});
