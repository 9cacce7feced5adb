import type { Manifest } from "@sous/contract";

const encoder = new TextEncoder();

/** @returns a manifest that is valid, with the given fields laid over it */
export const sampleManifest = (over: Partial<Manifest> = {}): Manifest => ({
  schema: "cs.function.script.v1",
  runtime: "cs-js",
  entry: "function.js",
  handler: "default",
  limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency: 10 },
  ...over,
});

/** @returns the files of a small valid function, with the given texts added */
export function sampleFiles(
  texts: Record<string, string> = {},
  manifest: Partial<Manifest> = {},
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  files.set("manifest.json", encoder.encode(JSON.stringify(sampleManifest(manifest))));
  files.set("function.js", encoder.encode("export default async () => 'ok';\n"));
  for (const [path, text] of Object.entries(texts)) files.set(path, encoder.encode(text));
  return files;
}

/** @returns whether an error is a PlatformError of this code whose message matches */
export const withCode =
  (code: string, message = /./) =>
  (error: unknown): boolean =>
    error instanceof Error && "code" in error && error.code === code && message.test(error.message);
