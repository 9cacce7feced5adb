import { readFile } from "node:fs/promises";
import { attackTable, readAttackGroups } from "./attack-table.ts";
import { errorReference } from "./error-reference.ts";
import { importTables } from "./import-tables.ts";
import { limitsTable } from "./limits-table.ts";
import { replaceSection } from "./marked-section.ts";

const ROOT = new URL("../../", import.meta.url);

/** @returns every document that is derived from code as it should be now, by its path in the repository */
export async function generatedDocuments(): Promise<Map<string, string>> {
  return new Map([
    ["SPECIFICATION.md", replaceSection(await read("SPECIFICATION.md"), "limits", limitsTable())],
    ["ARCHITECTURE.md", replaceSection(await read("ARCHITECTURE.md"), "imports", importTables())],
    ["docs/reference/errors.md", errorReference()],
    [
      "SECURITY.md",
      replaceSection(await read("SECURITY.md"), "attacks", attackTable(await readAttackGroups())),
    ],
  ]);
}

const read = (path: string): Promise<string> => readFile(new URL(path, ROOT), "utf8");
