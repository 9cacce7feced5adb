import assert from "node:assert/strict";
import { test } from "node:test";
import { PlatformError } from "@sous/contract";
import { createReadiness } from "./readiness.ts";

const passes = { check: () => Promise.resolve(), silent: "CS_STORE_UNAVAILABLE" } as const;

test("what a part says of itself is shown beside", async () => {
  const readiness = createReadiness({
    checks: { store: passes, sandbox: { ...passes, check: () => Promise.resolve("closed") } },
    clock: () => 0,
    draining: () => false,
  });
  assert.deepEqual(await readiness(), {
    status: "ready",
    checks: { store: "ok", sandbox: "ok" },
    details: { sandbox: "closed" },
  });
});

test("a process is ready when every check passes, and names the code of each that does not", async () => {
  let down = false;
  let nowMs = 0;
  const failing = new PlatformError("CS_CODEQ_PUBLISH_FAILED", "the queue is away");
  const readiness = createReadiness({
    checks: {
      store: passes,
      codeq: {
        check: () => (down ? Promise.reject(failing) : Promise.resolve()),
        silent: "CS_CODEQ_PUBLISH_FAILED",
      },
      sandbox: {
        check: () => (down ? Promise.reject(new Error("no host")) : Promise.resolve()),
        silent: "CS_RUNTIME_CRASHED",
      },
    },
    clock: () => nowMs,
    draining: () => false,
  });
  assert.deepEqual(await readiness(), {
    status: "ready",
    checks: { store: "ok", codeq: "ok", sandbox: "ok" },
  });
  down = true;
  nowMs += 999;
  assert.equal((await readiness()).status, "ready", "asked once a second at most");
  nowMs += 1;
  assert.deepEqual(await readiness(), {
    status: "unready",
    checks: { store: "ok", codeq: "CS_CODEQ_PUBLISH_FAILED", sandbox: "CS_RUNTIME_CRASHED" },
  });
});

test("a process that is leaving says so at once, even where a check would never answer", async () => {
  const never = { check: () => new Promise<void>(() => {}), silent: "CS_STORE_UNAVAILABLE" } as const;
  const readiness = createReadiness({ checks: { store: never }, clock: Date.now, draining: () => true });
  assert.equal((await readiness()).status, "draining");
});

test("a check that says nothing in time counts as failed", async () => {
  const never = { check: () => new Promise<void>(() => {}), silent: "CS_STORE_UNAVAILABLE" } as const;
  const readiness = createReadiness({ checks: { store: never }, clock: Date.now, draining: () => false });
  assert.deepEqual(await readiness(), { status: "unready", checks: { store: "CS_STORE_UNAVAILABLE" } });
});
