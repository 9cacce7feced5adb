import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { everyPage } from "../contract-suite/samples.ts";
import type { Store } from "../store.ts";
import { skipUnlessRequired } from "./fixtures/skip-unless-required.ts";
import { createSqliteStore } from "./sqlite-store.ts";

const ROUNDS = 10;
const SEED = 0x5eed;
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));

/** A small seeded generator (mulberry32). @returns numbers in [0, 1) */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets a writer run, kills it `afterMs` after its first settled round. @returns the rounds it reported */
async function writeAndKill(folder: string, prefix: string, afterMs: number): Promise<string[]> {
  const report = join(folder, `report-${prefix}`);
  const args = [fixture("crash-writer"), join(folder, "sous.db"), report, prefix];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const exited = once(child, "exit");
  const started = () => existsSync(report) && readFileSync(report).byteLength > 0;
  while (child.exitCode === null && !started()) await sleep(5);
  await sleep(afterMs);
  child.kill("SIGKILL");
  const [, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, "SIGKILL", "the writer stopped by itself");
  return readFileSync(report, "utf8").split("\n").slice(0, -1);
}

async function countRecords(store: Store): Promise<number> {
  const pages = await everyPage(500, (page) => store.activations.list({ tenant: "t_default" }, page));
  return pages.flat().length;
}

test("what has settled survives SIGKILL at any moment, and a tick's writes survive together", async () => {
  const folder = mkdtempSync(join(tmpdir(), "store-crash-"));
  const random = seeded(SEED);
  const settled: string[] = [];
  const checked = new Set<string>();
  try {
    for (let round = 0; round < ROUNDS; round++) {
      settled.push(...(await writeAndKill(folder, `r${round}`, random() * 50)));
      await using store = await createSqliteStore({ path: join(folder, "sous.db") });
      const entries = new Set((await store.journal.load()).map((entry) => entry.id));
      for (const name of settled) assert.ok(entries.has(name), `${name} had settled and is lost`);
      // Every entry that is there, reported or not: its tick must be complete.
      for (const name of entries.difference(checked)) {
        const record = await store.activations.get("t_default", name);
        assert.equal(record?.status, "success", `${name} lost its record`);
        assert.deepEqual(await store.logs.read("t_default", name, 0, 9), [name, "done"]);
        checked.add(name);
      }
      if (round === ROUNDS - 1) {
        assert.equal(await countRecords(store), entries.size, "a record without its entry");
      }
    }
    assert.ok(settled.length > ROUNDS, "rounds wrote something");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("an awaited write settles only after a sync of the disk", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "store-sync-"));
  const trace = join(folder, "trace");
  const traced = ["-f", "-qq", "-e", "trace=fsync,fdatasync,write", "-e", "signal=none", "-o", trace];
  const command = [process.execPath, fixture("one-write"), join(folder, "sous.db")];
  try {
    const run = spawnSync("strace", [...traced, ...command], { encoding: "utf8", timeout: 60_000 });
    if (run.error !== undefined || /ptrace|PTRACE/.test(run.stderr)) {
      skipUnlessRequired(context, `strace does not run here: ${run.error?.message ?? run.stderr}`);
      return;
    }
    assert.equal(run.status, 0, run.stderr);
    const lines = readFileSync(trace, "utf8").split("\n");
    const find = (text: string) => lines.findIndex((line) => line.includes(text));
    for (let n = 0; n < 3; n++) {
      const [from, to] = [find(`REQUESTED ${n}`), find(`SETTLED ${n}`)];
      assert.ok(from >= 0 && to > from, "the marks are in the trace");
      const between = lines.slice(from, to);
      // A sync counts when it has returned: on one line, or where it is resumed.
      const synced = between.some((line) => /(fsync|fdatasync)(\(\d+\)| resumed>\)) += 0/.test(line));
      assert.ok(synced, `no sync between request and settlement:\n${between.join("\n")}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
