import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { whileAlive } from "./read-host-pid.ts";

const shell = (script: string): ChildProcess =>
  spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "ignore", "pipe"] });
const never = new Promise<never>(() => {});

test("what is done with a process that lives is given back, and nobody listens to it from then on", async () => {
  const child = shell("exec sleep 30");
  assert.equal(await whileAlive(child, Promise.resolve(7)), 7);
  assert.deepEqual(
    [child.listenerCount("close"), child.listenerCount("error"), child.stderr?.listenerCount("data")],
    [0, 0, 0],
  );
  child.kill("SIGKILL");
});

test("a process that ends meanwhile is told of with what it said", async () => {
  await assert.rejects(whileAlive(shell("echo not here >&2; exit 3"), never), {
    code: "CS_INTERNAL",
    message: /not here/,
  });
});

test(
  "so is one that has ended when the work is done, whatever holds its pipe open",
  { timeout: 5000 },
  async () => {
    const child = shell("sleep 30 & echo $! gone >&2; exit 3");
    const left = Promise.withResolvers<number>();
    child.stderr?.once("data", (said: Buffer) => left.resolve(Number.parseInt(said.toString(), 10)));
    await assert.rejects(
      whileAlive(
        child,
        once(child, "exit").then(() => 7),
      ),
      { message: /gone/ },
    );
    process.kill(await left.promise, "SIGKILL");
  },
);

test("work that fails because the process ends is told of with what the process said", async () => {
  const child = shell("echo no room >&2; exit 3");
  const work = once(child, "exit").then(() => Promise.reject(new Error("no such process")));
  await assert.rejects(whileAlive(child, work), { code: "CS_INTERNAL", message: /no room/ });
});

test("work on a process that says nothing takes no longer than it may", async () => {
  const child = shell("exec sleep 30");
  await assert.rejects(whileAlive(child, never, 50), { message: /not done after 50 ms/ });
  child.kill("SIGKILL");
});

test("a refusal of the work is its own", async () => {
  const child = shell("exec sleep 30");
  await assert.rejects(whileAlive(child, Promise.reject(new Error("no such group"))), {
    message: "no such group",
  });
  child.kill("SIGKILL");
});
