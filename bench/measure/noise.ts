import { openLoop, type OpenLoopOptions } from "./open-loop.ts";

/** Open-loop load from a process of its own, so that sending it does not delay what is measured; options as JSON. */
const result = await openLoop(JSON.parse(process.argv[2] ?? "{}") as OpenLoopOptions);
console.log(JSON.stringify(result));
