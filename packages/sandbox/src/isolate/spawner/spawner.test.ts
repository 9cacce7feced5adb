import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { programOf, runOnce } from "../../contract-suite.ts";
import type { Sandbox } from "../../sandbox.ts";
import { createIsolateDriver } from "../driver.ts";
import { killQuietly } from "../closing/kill-quietly.ts";
import { bundleHostProgram, HOST_PROGRAMS } from "../host-bundle.ts";
import { MARKER_BYTES } from "../protocol.ts";
import type { HostEnd } from "./follow-end.ts";
import { createPrivateFile } from "./private-file.ts";
import { createSpawner } from "./spawner.ts";

const onLinux = { skip: process.platform !== "linux" };
const LOOPS = "export default () => { for (;;); }";

test(
  "hosts are no children of the process that runs calls, and their parent is in a session of its own",
  onLinux,
  async () => {
    await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
    const sandbox = await driver.create({ tenant: "t_contract" });
    const spawner = spawnerOf(sandbox);
    assert.notEqual(spawner, sandbox.pid);
    assert.equal(sessionOf(spawner), spawner);
  },
);

test("a spawner that is killed takes its hosts with it; the next host has another", onLinux, async () => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  const running = runOnce(sandbox, programOf(LOOPS), { timeoutMs: 20_000 });
  await sleep(300);
  const spawner = spawnerOf(sandbox);
  process.kill(spawner, "SIGKILL");
  const { outcome } = await running;
  assert.equal(outcome.error?.type, "SandboxCrashed");
  assert.match(outcome.error.message, /the process that starts sandbox hosts ended with SIGKILL/);
  await until(() => !isAlive(sandbox.pid ?? 0));
  const next = await driver.create({ tenant: "t_contract" });
  assert.notEqual(spawnerOf(next), spawner);
  assert.equal((await runOnce(next, programOf("export default () => 2"))).outcome.result?.body, "2");
});

test(
  "a start under way fails with its spawner, and the next start begins with another",
  onLinux,
  async () => {
    const launcher = { kind: "plain", files: NO_FILES, command: ["sleep", "30"] } as const;
    await using spawner = createSpawner((await bundleHostProgram(HOST_PROGRAMS.spawner)).file);
    const start = () => spawner.start({ launcher, uid: null, markerPath: "/nowhere", groupFiles: [] });
    await assert.rejects(start(), { code: "CS_INTERNAL", message: /ENOENT.*nowhere/ });
    const pid = ownSpawner();
    process.kill(pid, "SIGSTOP");
    const started = start();
    process.kill(pid, "SIGKILL");
    await assert.rejects(started, { code: "CS_INTERNAL", message: /ended with SIGKILL/ });
    await assert.rejects(start(), { message: /ENOENT/ });
  },
);

test(
  "a spawner that is killed before the first host has started says nothing of the launcher",
  onLinux,
  async () => {
    const found: unknown[] = [];
    // Before it was asked, while a host gets ready, and not at all.
    for (const killed of ["at once", "late", "never"]) {
      await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
      const pid = ownSpawner();
      if (killed === "at once") process.kill(pid, "SIGSTOP");
      const inspecting = driver.inspect();
      if (killed === "late") await until(() => childrenOf(pid).length > 0);
      await sleep(30);
      if (killed !== "never") {
        process.kill(pid, "SIGKILL");
        await assert.rejects(inspecting, { code: "CS_INTERNAL", message: /ended with SIGKILL/ });
      }
      const { launcher, failures } = await driver.inspect();
      found.push([launcher, failures]);
    }
    assert.deepEqual(found, [found[2], found[2], found[2]]);
  },
);

test("hosts whose end a spawner that stands still does not tell are gone all the same", onLinux, async () => {
  const { file } = await bundleHostProgram(HOST_PROGRAMS.spawner);
  using marker = createPrivateFile(new Uint8Array(MARKER_BYTES));
  await using spawner = createSpawner(file, 500);
  const launcher = { kind: "plain", files: NO_FILES, command: ["sleep", "30"] } as const;
  const host = await spawner.start({ launcher, uid: null, markerPath: marker.path, groupFiles: [] });
  const ended = new Promise<HostEnd>((resolve) => host.onEnd(resolve));
  process.kill(host.parentPid, "SIGSTOP");
  // Nobody owes anybody an answer: it may stand still for as long as it likes.
  await sleep(800);
  assert.ok(isAlive(host.parentPid));
  host.kill();
  assert.match((await ended).detail, /ended after 500 ms of silence/);
  await until(() => !isAlive(host.pid) && !isAlive(host.parentPid));
});

test("a spawner that is closed starts nothing more", onLinux, async () => {
  const spawner = createSpawner((await bundleHostProgram(HOST_PROGRAMS.spawner)).file);
  const pid = ownSpawner();
  await spawner[Symbol.asyncDispose]();
  assert.ok(!isAlive(pid));
  const launcher = { kind: "plain", files: NO_FILES, command: ["sleep", "30"] } as const;
  await assert.rejects(spawner.start({ launcher, uid: null, markerPath: "/nowhere", groupFiles: [] }), {
    code: "CS_DRAINING",
  });
  assert.deepEqual(childrenOf(process.pid), []);
});

test("a spawner that says nothing is given up, and the next start begins with another", onLinux, async () => {
  const launcher = { kind: "plain", files: NO_FILES, command: ["sleep", "30"] } as const;
  await using spawner = createSpawner((await bundleHostProgram(HOST_PROGRAMS.spawner)).file, 500);
  const start = () => spawner.start({ launcher, uid: null, markerPath: "/nowhere", groupFiles: [] });
  const pid = ownSpawner();
  process.kill(pid, "SIGSTOP");
  await assert.rejects(start(), { code: "CS_INTERNAL", message: /ended after 500 ms of silence/ });
  await until(() => !isAlive(pid));
  await assert.rejects(start(), { message: /ENOENT/ });
});

test(
  "a spawner ends with whoever started it, also where that one dies before it has taken a link",
  onLinux,
  async () => {
    const { file } = await bundleHostProgram(HOST_PROGRAMS.spawner);
    using marker = createPrivateFile(new Uint8Array(MARKER_BYTES));
    const launcher = { kind: "plain", files: NO_FILES, command: ["sleep", "30"] };
    const options = JSON.stringify({ launcher, uid: null, markerPath: marker.path, groupFiles: [] });
    const program = `
    import { createSpawner } from ${JSON.stringify(new URL("spawner.ts", import.meta.url))};
    createSpawner(${JSON.stringify(file)}).start(${options}).catch(() => {});
    setImmediate(() => process.kill(process.pid, "SIGSTOP"));`;
    const args = [
      "--disable-warning=ExperimentalWarning",
      "--input-type=module-typescript",
      "--eval",
      program,
    ];
    const starter = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    const pid = starter.pid ?? 0;
    await until(() => fields(pid)[0] === "T");
    const [spawner = 0] = childrenOf(pid);
    let host: number | undefined;
    await until(() => ([host] = childrenOf(spawner))[0] !== undefined);
    await sleep(100);
    assert.ok(isAlive(spawner));
    starter.kill("SIGKILL");
    try {
      await until(() => !isAlive(spawner));
    } finally {
      // Nothing closes a `sleep`: it goes on without its parent.
      for (const left of [spawner, host ?? 0]) killQuietly(left);
    }
  },
);

const NO_FILES = { node: "", libraries: [], program: [] };

/** @returns the child of this process that a sandbox's process descends from */
function spawnerOf(sandbox: Sandbox): number {
  let pid = sandbox.pid ?? 0;
  for (let parent = parentOf(pid); parent !== process.pid; parent = parentOf(pid)) {
    assert.ok(parent > 1, "it descends from this process");
    pid = parent;
  }
  return pid;
}

/** @returns the one spawner this process has */
function ownSpawner(): number {
  const found = childrenOf(process.pid).filter((child) => isAlive(child) && sessionOf(child) === child);
  assert.equal(found.length, 1);
  return found[0] as number;
}

/** Fields of `/proc/PID/stat` behind the name: state, parent, group, session. */
const fields = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
const parentOf = (pid: number): number => Number(fields(pid)[1]);
const sessionOf = (pid: number): number => Number(fields(pid)[3]);
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);

function isAlive(pid: number): boolean {
  try {
    return !["Z", "X"].includes(fields(pid)[0] ?? "");
  } catch {
    return false;
  }
}

async function until(met: () => boolean): Promise<void> {
  for (let tries = 0; !met(); tries++) {
    assert.ok(tries < 100, "in time");
    await sleep(20);
  }
}
