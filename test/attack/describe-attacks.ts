import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Isolation } from "@sous/contract";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { type ProcessorWaits, watchProcessorWaits } from "../support/processor-waits.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type AttackCase, checkOn, endsOn, sourceOf } from "./attack-case.ts";
import { BORDER } from "./cases/border.ts";
import { BUDGETS } from "./cases/budget.ts";
import { CARRY_OVER } from "./cases/carry-over.ts";
import { FLOODS } from "./cases/flood.ts";
import { MEMORY_BOMBS } from "./cases/memory.ts";
import { NETWORK } from "./cases/network.ts";
import { TERMINATION } from "./cases/termination.ts";

/** Every case there is; each runs on each isolation mode. */
export const ATTACK_GROUPS: Readonly<Record<string, readonly AttackCase[]>> = {
  termination: TERMINATION,
  memory: MEMORY_BOMBS,
  border: BORDER,
  floods: FLOODS,
  network: NETWORK,
  budgets: BUDGETS,
  "carry-over": CARRY_OVER,
};
const QUIET_TENANT = "t_quiet00";
const CALL_EVERY_MS = 25;
/** So much of what a busy machine kept the platform from running is no fault of its own. */
const WAITED_MAX_MS = 1000;

/** What a function that does nothing wrong went through while others misbehaved. */
interface Bystander {
  calls: number;
  failures: string[];
  stop(): Promise<void>;
}

/** Calls a well-behaved function all along. @param allowed error types that are no failure */
function watchBystander(api: Api, name: string, tenant: string, allowed: readonly string[]): Bystander {
  const seen: Bystander = { calls: 0, failures: [], stop: async () => {} };
  let running = true;
  const loop = (async () => {
    while (running) {
      const sent = Date.now();
      try {
        const answer = await api.invoke(name, { n: seen.calls }, { tenant });
        seen.calls++;
        const type = answer.error?.type ?? "";
        const late = Date.now() - sent > 3000 + 1000;
        if (
          answer.status === "success" &&
          !late &&
          JSON.parse(answer.result?.body ?? "null").tainted !== undefined
        ) {
          seen.failures.push("ran in a used isolate");
        } else if (answer.status === "success" ? late : !allowed.includes(type)) {
          seen.failures.push(`${answer.status} ${type} ${answer.error?.message ?? ""}`);
        }
      } catch (error) {
        seen.failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, CALL_EVERY_MS));
    }
  })();
  seen.stop = async () => {
    running = false;
    await loop;
  };
  return seen;
}

/**
 * Runs every case on one isolation mode, in a platform of its own, while two functions that do nothing wrong are
 * called all along.
 */
export function describeAttacks(isolation: Isolation): void {
  describe(`attacks on ${isolation} isolates`, () => {
    const data = mkdtempSync(join(tmpdir(), "sous-attack-"));
    let server: TestServer | undefined;
    let api: Api;
    let quiet: Bystander | undefined;
    let neighbour: Bystander | undefined;
    let waits: ProcessorWaits | undefined;
    let count = 0;

    before(async () => {
      server = await startServer({ settings: { data } });
      waits = watchProcessorWaits(server.pid);
      api = createApi(server.url);
      const files = {
        "function.js": "export default (event) => ({ ok: event.n, tainted: globalThis.tainted });",
        "manifest.json": manifest({ isolation }),
      };
      await api.deploy({ name: "quiet", files, tenant: QUIET_TENANT });
      await api.deploy({ name: "neighbour", files });
      quiet = watchBystander(api, "quiet", QUIET_TENANT, []);
      // A sandbox shared with a function that has to be killed goes down with it; that is said, never hidden.
      neighbour = watchBystander(api, "neighbour", "t_default", ["SandboxCrashed", "Timeout", "Expired"]);
    });

    after(async () => {
      await quiet?.stop();
      await neighbour?.stop();
      waits?.[Symbol.dispose]();
      await server?.[Symbol.asyncDispose]();
      rmSync(data, { recursive: true, force: true });
    });

    for (const [group, cases] of Object.entries(ATTACK_GROUPS)) {
      describe(group, () => {
        for (const attack of cases) {
          test(attack.name, async () => {
            const name = `attack-${++count}`;
            const files = {
              "function.js": sourceOf(attack),
              "manifest.json": manifest({
                limits: attack.limits ?? {},
                capabilities: attack.capabilities ?? {},
                budgets: attack.budgets ?? {},
                isolation,
              }),
              ...attack.files,
            };
            await api.deploy({ name, files });
            for (const event of attack.before ?? []) await api.invoke(name, event);
            const answer = await api.invoke(name, {});
            const ended = [answer.status, `${answer.status}/${answer.error?.type ?? ""}`];
            const ends = endsOn(attack, isolation);
            assert.ok(
              ends.some((end) => ended.includes(end)),
              `ended ${ended[1]} (${answer.error?.message ?? answer.result?.body.slice(0, 200)}), not ${ends.join(" or ")}`,
            );
            checkOn(attack, isolation)?.(answer);
            await endedInTime(answer.activation_id);
          });
        }
      });
    }

    /** Its record says that it ended no later than 250 ms after its deadline, beside what it was kept from running. */
    async function endedInTime(id: string): Promise<void> {
      let record: (Record<string, unknown> & { status: string }) | undefined;
      await until(async () => (record = await api.activation(id)).status !== "running", "a terminal record");
      const [deadlineMs, endMs] = [Number(record?.["deadline_ms"]), Number(record?.["end_ms"])];
      const waitedMs = waits?.between(deadlineMs, endMs) ?? 0;
      const over = endMs - deadlineMs;
      assert.ok(
        over <= 250 + Math.min(waitedMs, WAITED_MAX_MS),
        `ended ${over} ms after its deadline, and waited ${waitedMs} ms of it`,
      );
    }

    test("an isolate that saw an abnormal end is not used again", async () => {
      const code = `export default (event) => {
      const seen = globalThis.mark;
      globalThis.mark = true;
      if (event.bad === "loop") for (;;);
      if (event.bad === "heap") { const all = []; for (;;) all.push(new Array(1000).fill(1)); }
      if (event.bad === "late") setTimeout(() => {}, 60000);
      return { seen: seen ?? false };
    };`;
      const limits = { timeoutMs: 1500, memoryMb: 32, maxConcurrency: 1 };
      await api.deploy({
        name: "tainting",
        files: { "function.js": code, "manifest.json": manifest({ limits, isolation }) },
      });
      for (const bad of ["loop", "heap", "late"]) {
        await api.invoke("tainting", { bad });
        const next = await api.invoke("tainting", {});
        if (next.status === "success")
          assert.deepEqual(JSON.parse(next.result?.body ?? ""), { seen: false }, bad);
      }
    });

    test("between two activations no user code runs, not even in fresh globals", async () => {
      const code = `if (performance.now() === 0) for (;;);
      export default () => "ok";`;
      const limits = { timeoutMs: 1000, maxConcurrency: 1 };
      const source = { "function.js": code, "manifest.json": manifest({ limits, isolation }) };
      await api.deploy({ name: "between", files: source });
      for (let call = 0; call < 3; call++) assert.equal((await api.invoke("between", {})).status, "success");
    });

    test("the bystander of another tenant noticed nothing", () => {
      assert.ok(quiet !== undefined && quiet.calls > 50, `${quiet?.calls} calls`);
      assert.deepEqual(quiet.failures, []);
    });

    test("the neighbour of the same tenant was never blamed and never answered late", () => {
      assert.ok(neighbour !== undefined && neighbour.calls > 20, `${neighbour?.calls} calls`);
      assert.deepEqual(neighbour.failures, []);
    });
  });
}
