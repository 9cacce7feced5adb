import assert from "node:assert/strict";
import test from "node:test";
import { buildBundle } from "./build-bundle.ts";
import { sampleFiles } from "./bundle-samples.fixture.ts";
import { prepareProgram } from "./prepare-program.ts";
import { readBundle } from "./read-bundle.ts";
import { createTypeStripper } from "./type-stripper.ts";

async function prepare(files: Map<string, Uint8Array>) {
  await using stripper = createTypeStripper({ deadlineMs: 60_000 });
  const { tar, sha256 } = buildBundle(files);
  return await prepareProgram({ sha256, contents: readBundle(tar, sha256), stripper });
}

test("modules become text, TypeScript without its types, other files stay behind", async () => {
  const files = sampleFiles(
    {
      "function.ts": "export default (a: string): string => a;",
      "lib/a.mjs": "1",
      "lib/b.mts": "let b: 1",
      "lib/types.d.ts": "declare const a: number;",
      "data.json": "{}",
      "README.md": "#",
    },
    { entry: "function.ts" },
  );
  files.set("broken.js", new Uint8Array([0xff]));
  const program = await prepare(files);
  assert.ok(program.ok);
  assert.deepEqual(
    [...program.files.keys()],
    ["data.json", "function.js", "function.ts", "lib/a.mjs", "lib/b.mts", "manifest.json"],
  );
  assert.equal(program.files.get("function.ts"), "export default (a        )         => a;");
  assert.equal(program.files.get("lib/b.mts"), "let b   ");
  assert.equal(program.manifest.entry, "function.ts");
  assert.ok(program.bytes > 100);
});

test("an entry with another ending is a module all the same", async () => {
  const program = await prepare(sampleFiles({ main: "export default 1" }, { entry: "main" }));
  assert.ok(program.ok);
  assert.equal(program.files.get("main"), "export default 1");
});

test("an enum makes a broken program that says where", async () => {
  const program = await prepare(sampleFiles({ "lib/kinds.ts": "\nenum Kind { A }" }));
  assert.ok(!program.ok && program.settled);
  assert.equal(program.error.type, "BundleError");
  assert.match(program.error.message, /^lib\/kinds\.ts:2:1: /);
});
