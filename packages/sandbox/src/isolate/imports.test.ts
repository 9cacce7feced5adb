import assert from "node:assert/strict";
import { test } from "node:test";
import { programOf, runOnce } from "../contract-suite.ts";
import { createIsolateDriver } from "./driver.ts";

/** Imports, the files they are of, and what the handler returns or why there is none. */
const IMPORTS: readonly [what: string, files: Record<string, string>, expected: string][] = [
  [
    "a name of Latin-1 characters",
    {
      "function.js": 'import { a } from "./ü-lib.js"; export default () => a;',
      "ü-lib.js": "export const a = 1;",
    },
    "1",
  ],
  [
    "wider names, in a folder too",
    {
      "function.js": 'import { a } from "./漢.js"; export default () => a;',
      "漢.js": 'export { a } from "./😀/é.js";',
      "😀/é.js": 'import { b } from "../漢字/b.js"; export const a = b + 1;',
      "漢字/b.js": "export const b = 1;",
    },
    "2",
  ],
  [
    "a name that is UTF-8 read as Latin-1 already",
    {
      "function.js": 'import { a } from "./Ã¼.js"; export default () => a;',
      "Ã¼.js": "export const a = 3;",
      "ü.js": "export const a = 0;",
    },
    "3",
  ],
  [
    "a name in Unicode NFD, where bundles have NFC",
    {
      "function.js": 'import { a } from "./u\u0308.js"; export default () => a;',
      "ü.js": "export const a = 4;",
    },
    "4",
  ],
  [
    "a file that is not there",
    { "function.js": 'import { a } from "./ü漢.js"; export default () => a;' },
    'cannot import "./ü漢.js" from function.js: the bundle has no file "ü漢.js"',
  ],
  [
    "an export that is not there",
    { "function.js": 'import { a } from "./ü.js"; export default () => a;', "ü.js": "" },
    "The requested module './ü.js' does not provide an export named 'a'",
  ],
  [
    "a file that is no JavaScript",
    { "function.js": 'import "./ü.js"; export default () => 1;', "ü.js": "const = 1" },
    "SyntaxError: Unexpected token '=' [ü.js:1:7]",
  ],
];

test("files are imported by the names they have, in whatever script, and errors tell them so", async (t) => {
  await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
  const sandbox = await driver.create({ tenant: "t_contract" });
  for (const [what, files, expected] of IMPORTS) {
    await t.test(what, async () => {
      const { outcome } = await runOnce(sandbox, programOf(files));
      assert.equal(outcome.result?.body ?? outcome.error?.message, expected);
    });
  }
});
