import { mkdir, writeFile } from "node:fs/promises";
import { generatedDocuments } from "./documents/generated-documents.ts";

// Writes what documents derive from code. Run it after a change of the error catalogue, the limits, the attack
// cases or the table of imports: test/documents.test.ts compares code and documents both ways.

const ROOT = new URL("../", import.meta.url);

await mkdir(new URL("docs/reference/", ROOT), { recursive: true });
for (const [path, text] of await generatedDocuments()) await writeFile(new URL(path, ROOT), text);
