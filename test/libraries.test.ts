import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { scratchFolder } from "./support/scratch.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const node = (...args: string[]): string =>
  execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    cwd: join(ROOT, "packages", "store"),
    encoding: "utf8",
  });

test("libraries in bundles are the libraries, each once", () => {
  using scratch = scratchFolder();
  const folder = join(scratch.path, "libraries");
  const bundle = (): string => node(join(ROOT, "scripts", "bundle-libraries.js"), folder);
  bundle();
  const files = readdirSync(folder).toSorted();
  const program = `
    const { Type } = await import("typebox");
    const { Compile } = await import("typebox/compile");
    const { sql } = await import("kysely");
    const { v5 } = await import("uuid");
    const check = Compile(Type.Object({ n: Type.Integer() }));
    const places = ["typebox", "kysely"].map((name) => import.meta.resolve(name));
    console.log(JSON.stringify([check.Check({ n: 1 }), check.Check({ n: "1" }), typeof sql, v5("a", v5.URL), places]));
  `;
  const run = (): unknown[] =>
    JSON.parse(
      node("--import", pathToFileURL(join(folder, "hooks.mjs")).href, "--input-type=module", "-e", program),
    ) as unknown[];
  const [good, bad, sql, id, places] = run();
  assert.deepEqual([good, bad, sql], [true, false, "function"]);
  assert.match(String(id), /^[0-9a-f-]{36}$/);
  assert.deepEqual(
    places,
    ["typebox.mjs", "kysely.mjs"].map((name) => pathToFileURL(join(folder, name)).href),
  );

  // Two that come first at once: one folder, whole.
  bundle();
  assert.deepEqual(readdirSync(folder).toSorted(), files);
  assert.deepEqual(run()[4], places);
});
