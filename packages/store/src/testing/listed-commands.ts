import { readFileSync } from "node:fs";

const DOCUMENT = new URL("../../../../docs/reference/kvrocks-commands.md", import.meta.url);
const COLUMNS = { queue: 2, store: 3 };

/** @returns the commands the document says a driver uses, all of which KVRocks has */
export const readListedCommands = (driver: keyof typeof COLUMNS): ReadonlySet<string> =>
  new Set(
    readFileSync(DOCUMENT, "utf8")
      .split("\n")
      .filter((line) => /^\| `[A-Z]+` \|/.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim()))
      .filter((cells) => cells[COLUMNS[driver]] !== "–")
      .map(([, name = ""]) => name.replaceAll("`", "")),
  );
