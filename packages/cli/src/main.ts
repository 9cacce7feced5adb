import { createProcessDeps } from "./process-deps.ts";
import { runCli } from "./run-cli.ts";

// bin/cs.js sets it for this process alone; what runs below, sandboxes above all, must not share the cache.
delete process.env["NODE_COMPILE_CACHE"];
process.exitCode = await runCli(process.argv.slice(2), createProcessDeps(process));
