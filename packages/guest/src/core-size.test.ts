import assert from "node:assert/strict";
import test from "node:test";
import ivm from "isolated-vm";
import { loadGuestBundle } from "../../sandbox/src/isolate/guest-bundle.ts";
import { furnish, runGuest } from "./testing/run-guest.ts";

test("the core stays small: it runs in every context that is made", async () => {
  const { core, parts } = await loadGuestBundle();
  assert.ok(Buffer.byteLength(core) <= 20_000, `${Buffer.byteLength(core)} bytes`);
  assert.deepEqual(Object.keys(parts).toSorted(), [
    "bytes",
    "clone",
    "crypto",
    "encodings",
    "events",
    "fetch",
    "idna",
    "streams",
    "url",
  ]);
});

test("no script completes with a function, which would pin its context", async () => {
  const { core, parts } = await loadGuestBundle();
  const isolate = new ivm.Isolate();
  const context = isolate.createContextSync();
  assert.equal(isolate.compileScriptSync(core).runSync(context), 0);
  context.evalSync("globalThis.__sous_part__ = () => () => 1; 0");
  for (const [name, source] of Object.entries(parts)) {
    assert.equal(isolate.compileScriptSync(source).runSync(context), 0, name);
  }
  isolate.dispose();
});

test("contexts of one isolate do not add up in its heap", async () => {
  const bundle = await loadGuestBundle();
  const isolate = new ivm.Isolate({ memoryLimit: 64 });
  const silent = {
    reply() {},
    fail() {},
    call() {},
    log() {},
    timer: () => true,
    clearTimer() {},
    random: () => "",
    now: () => 0,
    load() {},
  };
  const used = (): number => isolate.getHeapStatisticsSync().used_heap_size;
  for (let round = 0; round < 300; round++) {
    const context = isolate.createContextSync();
    furnish(isolate, context, bundle, silent, 1000).release();
    context.release();
  }
  assert.ok(used() < 48 * 1024 * 1024, `${used()} bytes`);
  isolate.dispose();
});

test("a fresh guest takes little of its heap", async () => {
  const { heapBytes } = await runGuest("export default () => 1;");
  assert.ok(heapBytes > 0 && heapBytes < 1.5 * 1024 * 1024, `${heapBytes} bytes`);
});
