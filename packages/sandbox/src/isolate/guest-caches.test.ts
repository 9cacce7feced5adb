import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { devNull } from "node:os";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import ivm from "isolated-vm";
import { programOf, runOnce } from "../contract-suite.ts";
import { createIsolateDriver } from "./driver.ts";
import { FrameWriter } from "./frame-writer.ts";
import { loadGuestBundle } from "./guest-bundle.ts";
import { warmUp } from "./host/warm-up.ts";
import { HostMechanism } from "./host-sandbox.ts";
import { FROM_HOST, type GuestCaches } from "./protocol.ts";
import { quietMaker } from "./quiet-maker.fixture.ts";

/** The far end of a link: what is pushed is what a host says. */
class FarEnd extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
}

/** A mechanism whose host says what the test wants. */
function startMechanism() {
  const link = new FarEnd();
  // Of no process there can be.
  const pid = 2 ** 30;
  const group = {
    processFiles: [],
    limitMemory() {},
    limitCpu() {},
    outOfMemory: () => false,
    remove() {},
  };
  let killed = false;
  const started = { pid, link, group, kill: () => void (killed = true), onEnd() {} };
  const mechanism = new HostMechanism({ ...started, markerFd: openSync(devNull, "r") }, 0);
  const ignore = (): void => {};
  mechanism.listen({
    onReady: ignore,
    onOutcome: ignore,
    onCall: ignore,
    onLog: ignore,
    onGone: ignore,
    onWarm: ignore,
    onExit: ignore,
  });
  const given: GuestCaches[] = [];
  mechanism.onCaches = (caches) => void given.push(caches);
  const say = async (json: string): Promise<void> => {
    const toUs = new FarEnd();
    toUs._write = (chunk: Buffer, _encoding, done): void => {
      link.push(Buffer.from(chunk));
      done();
    };
    const writer = new FrameWriter(toUs);
    writer.begin(FROM_HOST.caches).string(json).end();
    writer.flush();
    await sleep(10);
  };
  return { mechanism, given, say, killed: () => killed };
}

test("V8 takes the compiled guest of one host in another, and passes over what is damaged", async () => {
  const { core } = await loadGuestBundle();
  const maker = await quietMaker();
  warmUp(maker);
  const { cache } = maker.core;
  assert.ok(cache !== undefined && cache.byteLength > 10_000);
  const isRejected = (bytes: Uint8Array): boolean | undefined => {
    const isolate = new ivm.Isolate({ memoryLimit: 64 });
    const cachedData = new ivm.ExternalCopy(Uint8Array.from(bytes).buffer);
    const script = isolate.compileScriptSync(core, { filename: "sous:core", cachedData });
    const { cachedDataRejected } = script as ivm.Script & { cachedDataRejected?: boolean };
    isolate.dispose();
    return cachedDataRejected;
  };
  assert.equal(isRejected(cache), false);
  assert.equal(isRejected(cache.subarray(0, cache.byteLength >> 1)), true);
});

test("hosts that are started later are given the compiled guest, and run as the first does", async () => {
  await using driver = await createIsolateDriver({ stems: 1, pairs: 1 });
  for (let left = 300; left > 0 && !driver.isGuestCompiled; left--) await sleep(100);
  assert.ok(driver.isGuestCompiled);
  const program = programOf(
    'export default async () => [new URL("http://a.b/c?d=1").searchParams.get("d"), await new Response("x").text(), structuredClone({ e: [1] }), new TextEncoder().encode("ü").length, atob("eA==")]',
  );
  for (const tenant of ["t_first0", "t_second"]) {
    const sandbox = await driver.create({ tenant });
    const { outcome } = await runOnce(sandbox, program);
    assert.equal(outcome.result?.body, '["1","x",{"e":[1]},2,"x"]', tenant);
  }
});

test("a compiled guest is taken from a host that was given no program yet, and from no other", async () => {
  const { mechanism, given, say, killed } = startMechanism();
  await say('{"core":"AAAA","url":"BBBB"}');
  assert.deepEqual(given, [{ core: "AAAA", url: "BBBB" }]);
  mechanism.start(1, {
    activationId: "a",
    program: programOf("export default () => 1"),
    contextJson: "{}",
    sharedContextJson: "{}",
    eventJson: "null",
    deadlineMs: Date.now() + 60_000,
  });
  await say('{"core":"CCCC"}');
  assert.equal(given.length, 1);
  assert.equal(killed(), false);
});

test("a host that calls anything else a compiled guest is ended", async () => {
  const others = [
    "",
    "[1",
    "null",
    '"core"',
    '["AAAA"]',
    '{"core":1}',
    '{"core":"no base64!"}',
    '{"../x":"AAAA"}',
  ];
  for (const json of others) {
    const { given, say, killed } = startMechanism();
    await say(json);
    assert.deepEqual([given, killed()], [[], true], json);
  }
});
