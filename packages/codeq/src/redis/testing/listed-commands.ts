import { readFileSync } from "node:fs";

const DOCUMENT = new URL("../../../../../docs/reference/kvrocks-commands.md", import.meta.url);

/** @returns the commands the document says the driver uses, all of which KVRocks has */
export const readListedCommands = (): ReadonlySet<string> =>
  new Set([...readFileSync(DOCUMENT, "utf8").matchAll(/^\| `([A-Z]+)` \|/gm)].map(([, name = ""]) => name));
