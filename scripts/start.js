// `npm start`: installs what is missing, then runs the whole platform with the examples.
import { join } from "path";
import { ensureInstalled } from "./installed.js";
import { becomeProgram, ROOT } from "./pinned-node.js";

ensureInstalled();
becomeProgram("packages/cli/src/main.ts", [
  "dev",
  join(ROOT, "examples"),
  "--data",
  join(ROOT, ".sous"),
  ...process.argv.slice(2),
]);
