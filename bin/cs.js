#!/usr/bin/env node
// Plain ES2020: starts the command line on the Node that the project pins, whichever Node runs this file.
import { becomeProgram } from "../scripts/pinned-node.js";

becomeProgram("packages/cli/src/main.ts", process.argv.slice(2));
