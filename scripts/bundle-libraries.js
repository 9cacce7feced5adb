// Run by pinned-node.js once after an install: `bundle-libraries.js FOLDER`.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "./pinned-node.js";

/** Libraries of hundreds of small modules, by the names they are imported by. Those of CommonJS load fast as they are. */
const LIBRARIES = ["typebox", "typebox/compile", "kysely", "uuid"];

const [, , folder] = process.argv;
const fileOf = (name) => `${name.replace("/", "-")}.mjs`;
const table = LIBRARIES.map((name) => [name, fileOf(name)]);
const hooks = `import { registerHooks } from "node:module";
const files = new Map(${JSON.stringify(table)});
registerHooks({
  resolve(specifier, context, next) {
    const file = files.get(specifier);
    if (file === undefined) return next(specifier, context);
    return { url: new URL(file, import.meta.url).href, format: "module", shortCircuit: true };
  },
});
`;
const temporary = `${folder}.${process.pid}`;
try {
  mkdirSync(temporary, { recursive: true });
  await build({
    entryPoints: Object.fromEntries(table.map(([name, file]) => [file.slice(0, -".mjs".length), name])),
    outdir: temporary,
    outExtension: { ".js": ".mjs" },
    absWorkingDir: ROOT,
    bundle: true,
    // What two of them share stays one module.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    logLevel: "silent",
  });
  writeFileSync(join(temporary, "hooks.mjs"), hooks);
  renameSync(temporary, folder);
} catch {
  // Somebody else was faster, or nothing can be kept here: the libraries are loaded as they are.
  rmSync(temporary, { recursive: true, force: true });
}
