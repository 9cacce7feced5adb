import assert from "node:assert/strict";
import type { StoreTest } from "./open-store.ts";
import { NOW_MS, sampleEntry } from "./samples.ts";

/** The queue's journal. */
export function journalSuite(storeTest: StoreTest): void {
  storeTest("entries come back as they were, in the order of appending", async (store) => {
    const entries = [
      sampleEntry("msg_c", { due_at_ms: NOW_MS + 5 }),
      sampleEntry("msg_a", { body_json: JSON.stringify({ text: "ü👋\u2028" }) }),
      sampleEntry("msg_b", { dead: true, dead_reason: "attempts exhausted" }),
    ];
    await Promise.all(entries.map((entry) => store.journal.append(entry)));
    assert.deepStrictEqual(await store.journal.load(), entries);
  });

  storeTest("an update rewrites attempt, times and dead-letter state in place", async (store) => {
    const [first, second] = [sampleEntry("msg_1"), sampleEntry("msg_2")];
    await store.journal.append(first);
    await store.journal.append(second);
    const times = { due_at_ms: NOW_MS + 9, expires_at_ms: NOW_MS + 99 };
    const changed = { ...first, ...times, attempt: 3, dead: true, dead_reason: "poison" };
    await store.journal.update(changed);
    await store.journal.update(sampleEntry("msg_unknown"));
    assert.deepStrictEqual(await store.journal.load(), [changed, second]);
    await store.journal.update(first);
    assert.deepStrictEqual(await store.journal.load(), [first, second]);
  });

  storeTest("a removed entry is gone, and an unknown one is no error", async (store) => {
    await store.journal.append(sampleEntry("msg_1"));
    await store.journal.append(sampleEntry("msg_2"));
    await store.journal.remove("msg_1");
    await store.journal.remove("msg_1");
    assert.deepStrictEqual(await store.journal.load(), [sampleEntry("msg_2")]);
  });

  storeTest("an id that is appended again is the newer message, last in order", async (store) => {
    await store.journal.append(sampleEntry("msg_1", { dead: true, dead_reason: "poison" }));
    await store.journal.append(sampleEntry("msg_2"));
    await store.journal.append(sampleEntry("msg_1", { attempt: 2 }));
    const loaded = await store.journal.load();
    assert.deepStrictEqual(loaded, [sampleEntry("msg_2"), sampleEntry("msg_1", { attempt: 2 })]);
  });
}
