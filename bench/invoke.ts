import { parseArgs } from "node:util";
import { measureCold } from "./invoke/cold.ts";
import { measureEnqueue } from "./invoke/enqueue.ts";
import { measureStart } from "./invoke/start.ts";
import { measureWarm, type WarmResult } from "./invoke/warm.ts";

/**
 * The invocation path: warm calls over the reference path and over bare node:http in the same run, cold starts,
 * durable enqueue, and the time from `cs dev` to the first answer. Prints tables, or JSON with `--json`.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "warm,cold,enqueue,start" },
    json: { type: "boolean", default: false },
    /** Exits with 1 when processor time a request over the reference path is above this. */
    gate: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const wanted = new Set(values.only.split(","));
const report: Record<string, unknown> = {};
const say = (text: string): void => void (values.json || console.log(text));

if (wanted.has("warm")) {
  const warm: WarmResult[] = [];
  for (const connections of [64, 1]) {
    say(
      `\nwarm calls, ${connections} connection${connections === 1 ? "" : "s"}, median of ${rounds} rounds of ${seconds} s`,
    );
    const result = await measureWarm({ connections, rounds, seconds });
    warm.push(result);
    if (!values.json) console.table(result.table);
    for (const line of result.ratios) say(line);
  }
  report["warm"] = warm;
  if (values.gate !== undefined) {
    const ratio = warm[0]?.cpuOverReference ?? Number.NaN;
    if (!(ratio <= Number(values.gate))) {
      console.error(
        `processor time over the reference path is ${ratio.toFixed(2)}, the bar is ${values.gate}`,
      );
      process.exitCode = 1;
    }
  }
}
if (wanted.has("cold")) {
  say(
    "\ncold starts: first byte of a version's first call, less that of a warm one after the same pause (medians)",
  );
  const cold = await measureCold();
  report["cold"] = cold;
  if (!values.json) console.table(cold);
}
if (wanted.has("enqueue")) {
  say(`\ndurable enqueue (202 after the sync), consumers paused, over a raw POST echo, 64 connections`);
  const enqueue = await measureEnqueue({ rounds, seconds });
  report["enqueue"] = enqueue;
  if (!values.json) console.table([enqueue]);
}
if (wanted.has("start")) {
  say("\nfrom the start of `cs dev` to the first answer of a function");
  const start = await measureStart();
  report["start"] = start;
  if (!values.json) console.table([start]);
}
if (values.json) console.log(JSON.stringify(report, undefined, 2));
