import test from "node:test";
import assert from "node:assert/strict";
import { syntaxWarnings } from "./syntax-warnings.ts";

const warningsOf = (files: Record<string, string>, runtime = "cs-js"): string[] => {
  const contents = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
  const manifest = { entry: Object.keys(files)[0] ?? "", runtime };
  return syntaxWarnings({ path: "/f", name: "f", manifest, files: contents, bytes: 0 });
};

test("code that reads well has no warning, in JavaScript and TypeScript", () => {
  assert.deepEqual(warningsOf({ "function.js": "export default async () => { await 1; };" }), []);
  assert.deepEqual(warningsOf({ "function.ts": "export default (n: number): number => n as number;" }), []);
});

test("a syntax error is told with file, line, the line itself and the place in it", () => {
  const [warning] = warningsOf({ "function.js": "export default () => 1;\nconst y = (;\n" });
  assert.match(warning ?? "", /^function\.js:2: .+\n(?: .*\n)* {4}const y = \(;\n +\^$/);
});

test("every file that may be imported is read, others are not", () => {
  const files = {
    "function.js": "",
    "lib/a.mjs": "let = ",
    "data.json": "{",
    "notes.md": "let = ",
    "x.d.ts": "nope",
  };
  assert.deepEqual(
    warningsOf(files).map((text) => text.split(":")[0]),
    ["lib/a.mjs"],
  );
});

test("types in a JavaScript file, and an enum in a TypeScript file, are told", () => {
  assert.match(warningsOf({ "function.js": "const a: number = 1;" })[0] ?? "", /name it \.ts/);
  assert.match(warningsOf({ "function.ts": "enum A { B }" })[0] ?? "", /enum/);
});

test("an entry that is missing is told; other runtimes are not ours to read", () => {
  const missing = { path: "/f", name: "f", manifest: { entry: "gone.js" }, files: new Map(), bytes: 0 };
  assert.deepEqual(syntaxWarnings(missing), ["gone.js: the entry is missing"]);
  assert.deepEqual(warningsOf({ "main.js": "let = " }, "nodejs"), []);
});
