import { parseArgs } from "node:util";
import { missingRedis } from "@sous/store/testing";
import { measureCalls } from "./cluster/calls.ts";
import { measureQueueGrowth } from "./cluster/queue-growth.ts";

/**
 * Roles apart over a Redis of this machine, beside one embedded process: synchronous calls as ratios of one run, durable
 * enqueue and drain, what a call costs as published functions grow, and what a message costs as the queue grows.
 * `--large` goes on to 10,000 functions and a million messages.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    large: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const missing = missingRedis();
if (missing !== undefined) {
  console.error(missing);
  process.exit(1);
}
const functions = values.large ? [10, 100, 1000, 10_000] : [10, 100];
const depths = values.large ? [1000, 10_000, 100_000, 1_000_000] : [1000, 10_000];
const report = {
  ...(await measureCalls({ seconds: Number(values.seconds), rounds: Number(values.rounds), functions })),
  queue: await measureQueueGrowth(depths),
};
if (values.json) console.log(JSON.stringify(report, undefined, 2));
else {
  console.log("\nsynchronous calls, roles apart over one embedded process");
  console.table(report.calls);
  console.log("\nasynchronous calls through a Redis that syncs, over a raw POST echo");
  console.table([report.asynchronous]);
  console.log("\n64 callers over so many functions, roles apart");
  console.table(report.functions);
  console.log("\na message in a queue of so many that wait");
  console.table(report.queue);
}
