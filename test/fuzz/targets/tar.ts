import assert from "node:assert/strict";
import { PlatformError } from "@sous/contract";
import { buildBundle } from "../../../packages/platform/src/bundle/build-bundle.ts";
import { sampleFiles } from "../../../packages/platform/src/bundle/bundle-samples.fixture.ts";
import { readBundle } from "../../../packages/platform/src/bundle/read-bundle.ts";
import { mutateBytes, smallerBytes } from "../bytes.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import type { Random } from "../random.ts";

type Input = { kind: "tar"; bytes: Buffer } | { kind: "paths"; paths: readonly string[] };

const PIECES = [
  "a",
  "lib",
  "..",
  ".",
  "",
  "é",
  "e\u0301",
  "CON",
  "A",
  "x".repeat(120),
  "\u0000",
  "\\",
  "\ud800",
  " ",
  "~",
  "ﬀ",
  "function.js",
  "a.",
  "a:b",
];
const ENDINGS = [".js", "", "/", ".json", "\n"];

const PATHS: readonly string[][] = [[], ["lib/a.js"], ["lib/a.js", "lib/b.js", `${"d".repeat(120)}/c.js`]];

/** Bundles as tars, and the paths in them. Whatever is read back is what the packer would write. */
export const TAR: FuzzTarget<Input> = {
  name: "tar",
  async open() {
    const samples = PATHS.map((paths) => buildBundle(filesOf(paths)).tar);
    return {
      generate(random) {
        if (random.chance(0.4)) return { kind: "paths", paths: somePaths(random) };
        const bytes = mutateBytes(random.pick(samples), random);
        return { kind: "tar", bytes: random.chance(0.3) ? wholeBlocks(bytes) : bytes };
      },
      async run(input) {
        return input.kind === "tar" ? runTar(input.bytes) : runPaths(input.paths);
      },
      *smaller(input) {
        if (input.kind === "tar") {
          for (const bytes of smallerBytes(input.bytes)) yield { kind: "tar", bytes };
        } else {
          for (const at of input.paths.keys()) yield { kind: "paths", paths: input.paths.toSpliced(at, 1) };
        }
      },
      show: (input) =>
        input.kind === "tar" ? `tar ${input.bytes.toString("base64")}` : JSON.stringify(input.paths),
      async [Symbol.asyncDispose]() {},
    };
  },
};

const filesOf = (paths: readonly string[]): Map<string, Uint8Array> =>
  sampleFiles(Object.fromEntries(paths.map((path, at) => [path, `export const n = ${at};`])));

function somePaths(random: Random): string[] {
  return Array.from({ length: 1 + random.below(3) }, () => {
    const parts = Array.from({ length: 1 + random.below(4) }, () => random.pick(PIECES));
    return parts.join("/") + random.pick(ENDINGS);
  });
}

const wholeBlocks = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);

function runTar(bytes: Buffer): string | undefined {
  let files: Map<string, Uint8Array>;
  try {
    ({ files } = readBundle(bytes));
  } catch (error) {
    return refusal(error, "CS_RUNTIME_BUNDLE_INVALID");
  }
  const again = buildBundle(files);
  return Buffer.compare(again.tar, bytes) === 0
    ? undefined
    : "it was read, but is not what the packer writes";
}

function runPaths(paths: readonly string[]): string | undefined {
  const given = filesOf(paths);
  let built: ReturnType<typeof buildBundle>;
  try {
    built = buildBundle(given);
  } catch (error) {
    return refusal(error, "CS_VALIDATION_FAILED", "CS_VALIDATION_MANIFEST_INVALID");
  }
  const { files } = readBundle(built.tar, built.sha256);
  assert.deepEqual([...files.keys()], [...given.keys()].map((path) => path.normalize("NFC")).sort());
  for (const path of files.keys()) {
    if (path.startsWith("/") || path.split("/").some((part) => part === "" || part === "." || part === ".."))
      return `the path ${JSON.stringify(path)} was taken`;
  }
  return undefined;
}

/** @returns a complaint when something was thrown that is no refusal of the input */
function refusal(error: unknown, ...codes: readonly string[]): string | undefined {
  if (error instanceof PlatformError && codes.includes(error.code)) return undefined;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
