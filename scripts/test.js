// `npm test [-- PATH…]`: installs what is missing, then runs the checks and the tests.
import { ensureInstalled } from "./installed.js";
import { becomeProgram } from "./pinned-node.js";

ensureInstalled();
becomeProgram("scripts/run-tests.ts", process.argv.slice(2));
