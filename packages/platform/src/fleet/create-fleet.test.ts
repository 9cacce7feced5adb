import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Isolation } from "@sous/contract";
import type { SandboxOutcome } from "@sous/sandbox";
import { createFleet } from "./create-fleet.ts";
import { createMemoryDriver, memoryTask } from "./memory-driver.fixture.ts";

const LONG_MS = 60_000;

function open(hostsMax: number, { now = Date.now, programsPerHostMax = 3 } = {}) {
  const driver = createMemoryDriver();
  const fleet = createFleet({
    driver,
    hostsMax,
    hostIdleMs: LONG_MS,
    programsPerHostMax,
    programsMax: 10,
    now,
  });
  const outcomes = new Map<string, SandboxOutcome>();
  const places = new Map<string, string>();
  /** Hands over an activation named after its program, and lets the fleet do what it does. */
  const run = async (
    tenant: string,
    name: string,
    timeoutMs = LONG_MS,
    isolation: Isolation = "warm",
  ): Promise<void> => {
    fleet.run(tenant, memoryTask(name, name, now() + timeoutMs, isolation), {
      onPlaced: (id) => void places.set(name, id),
      onHostCall: () => {},
      onLog: () => {},
      onOutcome: (outcome) => void outcomes.set(name, outcome),
    });
    for (let left = 0; left < 5; left++) await turn();
  };
  const alive = (tenant: string): number =>
    driver.sandboxes.filter((sandbox) => sandbox.tenant === tenant && !sandbox.dead).length;
  /** Makes a program one that gets a sandbox of its own. */
  const condemn = (programKey: string): void =>
    driver.sandboxes[0]?.emit({ type: "abnormal", programKey, reason: "test" });
  return { driver, fleet, outcomes, places, run, alive, condemn };
}

/** A tenant that wants as many sandboxes as it has programs. */
async function greedy({ run, condemn }: ReturnType<typeof open>, programs: number): Promise<void> {
  await run("t_greedy", "first");
  for (let program = 0; program < programs; program++) condemn(`heavy-${program}`);
  for (let program = 0; program < programs; program++) await run("t_greedy", `heavy-${program}`);
}

test("a tenant alone has half of the sandboxes, room for the next, and its surplus of heavy programs shares", async () => {
  const fleet = open(8);
  await using _ = fleet.fleet;
  await greedy(fleet, 6);
  assert.equal(fleet.alive("t_greedy"), 4);
  assert.equal(fleet.places.size, 7, "all run");
});

test("a tenant without a sandbox takes one from the tenant with the most, busy or not", async () => {
  const fleet = open(8);
  await using _ = fleet.fleet;
  await greedy(fleet, 3);
  for (const name of ["a", "b", "c", "d"]) await fleet.run(`t_${name}`, name);
  assert.equal(fleet.alive("t_greedy"), 4);
  assert.equal(fleet.outcomes.size, 0, "all eight are busy");
  await fleet.run("t_small", "small");
  assert.equal(fleet.alive("t_small"), 1);
  assert.ok(fleet.places.has("small"));
  assert.equal(fleet.alive("t_greedy"), 3);
  const lost = [...fleet.outcomes.values()].map(({ error }) => error?.type);
  assert.deepEqual(lost, ["SandboxCrashed"], "one activation was lost with it, and was told");
});

test("with others there a tenant grows to its share and no further", async () => {
  const fleet = open(6);
  await using _ = fleet.fleet;
  await fleet.run("t_small", "small");
  await fleet.run("t_other", "other");
  await greedy(fleet, 8);
  assert.equal(
    fleet.alive("t_greedy"),
    2,
    "six by four: three tenants and room for the next, but never less than two",
  );
  assert.equal(fleet.alive("t_small") + fleet.alive("t_other"), 2, "nobody lost a sandbox");
  assert.equal(fleet.places.size, 11, "all run");
});

test("an idle sandbox makes room for another tenant, the one idle longest first", async () => {
  const fleet = open(2);
  await using _ = fleet.fleet;
  await fleet.run("t_first", "one");
  await fleet.run("t_second", "two");
  fleet.driver.sandboxes[0]?.end("one");
  fleet.driver.sandboxes[1]?.end("two");
  await fleet.run("t_third", "three");
  assert.deepEqual([fleet.alive("t_first"), fleet.alive("t_second"), fleet.alive("t_third")], [0, 1, 1]);
});

test("where there is no room until the deadline that is said, and is no timeout of the function", async () => {
  const fleet = open(1);
  await using _ = fleet.fleet;
  await fleet.run("t_first", "one");
  await fleet.run("t_second", "two", 20);
  while (fleet.outcomes.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const outcome = fleet.outcomes.get("two");
  assert.equal(outcome?.error?.type, "Expired");
  assert.match(outcome.error.message, /no room for a sandbox/);
  assert.equal(outcome.started, false);
  assert.equal(fleet.alive("t_first"), 1, "a tenant keeps its last sandboxes");
});

test("a sandbox that is ending takes no more work", async () => {
  const fleet = open(2);
  await using _ = fleet.fleet;
  await fleet.run("t_first", "one");
  const [sandbox] = fleet.driver.sandboxes;
  sandbox?.kill("a test says so");
  await fleet.run("t_first", "again");
  assert.equal(fleet.places.get("again"), "memory-2");
});

test("a sandbox keeps so many programs warm and gives up the one used least lately, busy or not", async () => {
  const fleet = open(8);
  await using _ = fleet.fleet;
  for (let n = 0; n < 20; n++) await fleet.run("t_many", `program-${n}`);
  assert.equal(fleet.alive("t_many"), 4, "full ones get another, up to what a tenant may share");
  const kept = (tenant: string): string[] =>
    fleet.driver.sandboxes
      .filter((sandbox) => sandbox.tenant === tenant)
      .flatMap(({ programs }) => [...programs]);
  const many = kept("t_many");
  assert.ok(many.length <= 10, `${many.length} programs in all`);
  assert.ok(many.includes("program-19") && !many.includes("program-0"), many.join());
  for (const name of ["first", "second", "third"]) await fleet.run("t_other", name);
  assert.deepEqual(
    kept("t_other").sort(),
    ["first", "second", "third"],
    "who has many makes room for who has few",
  );
  assert.equal(kept("t_many").length, 7);
  for (let n = 0; n < 20; n++) await fleet.run("t_many", `later-${n}`);
  assert.equal(kept("t_other").length, 3, "and not the other way round");
});

test("a program that runs stays while there is one that does not", async () => {
  const fleet = open(8);
  await using _ = fleet.fleet;
  await fleet.run("t_many", "long");
  for (let n = 0; n < 20; n++) {
    await fleet.run("t_many", `program-${n}`);
    for (const sandbox of fleet.driver.sandboxes) sandbox.end(`program-${n}`);
  }
  const kept = fleet.driver.sandboxes.flatMap(({ programs }) => [...programs]);
  assert.ok(kept.includes("long"), kept.join());
  assert.ok(kept.length <= 10, `${kept.length} programs`);
});

test("programs that share an isolate are in one sandbox while it keeps up, and five take the room of one", async () => {
  const { fleet, driver, run, places } = open(8);
  await using _ = fleet;
  // Three have room in a sandbox, ten in all.
  const names = Array.from({ length: 15 }, (_, n) => `shared-${n}`);
  for (const name of names) {
    await run("t_a", name, LONG_MS, "shared");
    driver.sandboxes[0]?.end(name);
  }
  assert.equal(driver.sandboxes.length, 1);
  assert.equal(driver.sandboxes[0]?.programs.size, 15);
  await run("t_a", "shared-15", LONG_MS, "shared");
  assert.deepEqual(
    names.filter((name) => !driver.sandboxes[0]?.programs.has(name)),
    ["shared-0"],
  );
  assert.equal(driver.sandboxes.length, 2, "what is full gets company");
  await run("t_a", "warm");
  assert.equal(places.get("warm"), driver.sandboxes[1]?.id);
});

test("programs that share an isolate move to a second sandbox where the first does not keep up", async () => {
  const clock = { nowMs: 1_000_000 };
  const { fleet, driver, run, places } = open(8, { now: () => clock.nowMs, programsPerHostMax: 10 });
  await using _ = fleet;
  const call = async (name: string): Promise<string | undefined> => {
    clock.nowMs += 100;
    await run("t_a", name, LONG_MS, "shared");
    return places.get(name);
  };
  for (const name of ["a", "b", "c"]) await call(name);
  for (let n = 0; n < 23; n++) await call(`other-${n}`);
  const [first] = driver.sandboxes;
  assert.ok(first);
  for (const name of ["a", "b"]) first.end(name);
  first.waiting = 23;
  assert.equal(await call("a"), first.id);
  assert.equal(driver.sandboxes.length, 1);
  first.end("a");
  first.waiting = 24;
  assert.equal(await call("a"), first.id, "there is no other yet");
  const [, second] = driver.sandboxes;
  first.end("a");
  assert.equal(await call("c"), first.id, "not one that runs, which may be what is too much");
  assert.equal(await call("a"), second?.id);
  assert.ok(!first.programs.has("a"));
  clock.nowMs -= 100;
  assert.equal(await call("b"), first.id, "one after the other");
});

test("a sandbox that holds much memory takes a program only for another, and asks for company", async () => {
  const { fleet, driver, run, places } = open(8, { programsPerHostMax: 10 });
  await using _ = fleet;
  for (const name of ["a", "b", "c"]) await run("t_a", name, LONG_MS, "shared");
  const [first] = driver.sandboxes;
  assert.ok(first);
  for (const name of ["a", "b", "c"]) first.end(name);
  first.crowded = true;
  await run("t_a", "d", LONG_MS, "shared");
  assert.deepEqual([...first.programs], ["b", "c", "d"]);
  assert.equal(driver.sandboxes.length, 2);
  await run("t_a", "e", LONG_MS, "shared");
  assert.equal(places.get("e"), driver.sandboxes[1]?.id);
});

test("tells which programs are warm, the lately used ones first", async () => {
  const { fleet, driver, run } = open(8);
  await using _ = fleet;
  for (const name of ["old", "young", "youngest"]) {
    await run("t_first", name);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  for (const sandbox of driver.sandboxes) {
    for (const name of ["young", "old", "youngest"]) sandbox.warmPrograms.add(name);
  }
  assert.deepEqual(new Set(fleet.warmPrograms(10)), new Set(["old", "young", "youngest"]));
  assert.deepEqual(fleet.warmPrograms(2), ["youngest", "young"]);
});

test("a tenant has room until so much waits, in its sandboxes or for one, that it would not begin soon", async () => {
  const { driver, fleet, run } = open(8);
  await using _ = fleet;
  assert.ok(fleet.hasRoom("t_new"));
  await run("t_busy", "first");
  const [sandbox] = driver.sandboxes;
  assert.ok(sandbox);
  sandbox.waiting = 31;
  assert.ok(fleet.hasRoom("t_busy"));
  sandbox.waiting = 32;
  assert.ok(!fleet.hasRoom("t_busy"));
  assert.ok(fleet.hasRoom("t_new"), "other tenants have their own");
  await run("t_busy", "second");
  await run("t_busy", "third");
  assert.ok(fleet.hasRoom("t_busy"), "a second sandbox came");
});
