import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createApi, manifest } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const GUIDE = readFileSync(join(import.meta.dirname, "../../docs/guides/writing-functions.md"), "utf8");

/** Tells what of a list of names is there, whether `import()` works, and which parts of `ctx` are frozen. */
const PROBE = `
import { own } from "./own.js";
const frozen = (value) => Object.isFrozen(value);
export default async ({ names }, ctx) => ({
  own,
  there: names.filter((name) => name in globalThis),
  formData: [Request, Response].filter(({ prototype }) => "formData" in prototype).length,
  imported: await import("./own.js").then(() => true, () => false),
  frozen: Object.keys(ctx).filter((key) => typeof ctx[key] === "object" && frozen(ctx[key])).sort(),
  open: Object.keys(ctx).filter((key) => typeof ctx[key] === "object" && !frozen(ctx[key])).sort(),
  context: frozen(ctx) && frozen(ctx.principal.roles),
});`;

const namesIn = (sentence: RegExp): string[] =>
  [...(sentence.exec(GUIDE)?.[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name ?? "");

test("the guide says what functions find, and what they do not", async () => {
  const [there, missing] = [
    namesIn(/The language as V8 has it, ([^]*?)\. Not there/),
    namesIn(/Not there: ([^]*?)\.\n/),
  ];
  assert.ok(there.includes("fetch") && missing.includes("FormData"));
  using data = scratchFolder();
  await using server = await startServer({ settings: { data: data.path } });
  const api = createApi(server.url);
  const files = {
    "manifest.json": manifest({}),
    "own.js": "export const own = true;",
    "function.js": PROBE,
  };
  await api.deploy({ name: "probe", files, config: { env: { REGION: "here" } } });
  const { result } = await api.invoke("probe", { names: [...there, ...missing] });
  assert.deepEqual(JSON.parse(result?.body ?? ""), {
    own: true,
    there,
    formData: 0,
    imported: false,
    frozen: ["principal", "ref"],
    open: ["env", "trigger"],
    context: true,
  });
  assert.match(GUIDE, /`principal`, its `roles` and `ref`\. `env` and `trigger` are not/);
  assert.match(GUIDE, /`import\(\)` is refused/);
});
