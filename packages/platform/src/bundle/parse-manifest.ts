import { createParser, Manifest, PlatformError, type ValidationIssue } from "@sous/contract";
import { bundlePathProblem } from "./bundle-path.ts";
import { parseStrictJson, StrictJsonError } from "./strict-json.ts";

/** Where the manifest stands in every bundle. */
export const MANIFEST_PATH = "manifest.json";

/** The runtime of this release; the schema knows those that are to come. */
const RUNTIME = "cs-js";
// The largest manifest the schema allows stays below this.
const MANIFEST_LIMITS = { charactersMax: 512 * 1024, depthMax: 16 };
const parser = createParser(Manifest, "manifest.json", "CS_VALIDATION_MANIFEST_INVALID");
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the manifest of a bundle strictly: unknown, duplicate and `__proto__` keys are refused.
 * @param files the bundle's files by path
 * @throws CS_VALIDATION_MANIFEST_INVALID with `details.issues`
 */
export function parseManifest(files: ReadonlyMap<string, Uint8Array>): Manifest {
  const bytes = files.get(MANIFEST_PATH);
  if (bytes === undefined) throw invalid("is missing from the bundle; add it beside the code");
  const manifest = parser.parse(parseText(bytes));
  if (manifest.runtime !== RUNTIME) {
    throw invalid(
      `asks for ${manifest.runtime}; this release runs ${RUNTIME}, JavaScript and TypeScript`,
      "/runtime",
    );
  }
  const pathProblem = bundlePathProblem(manifest.entry);
  if (pathProblem !== undefined) throw invalid(pathProblem, "/entry");
  const entry = files.get(manifest.entry);
  if (entry === undefined) {
    throw invalid(`names ${JSON.stringify(manifest.entry)}, which the bundle does not hold`, "/entry");
  }
  if (decodeText(entry) === undefined) {
    throw invalid(`names a file that is not valid UTF-8; runtime ${RUNTIME} runs text`, "/entry");
  }
  return manifest;
}

function parseText(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  if (text === undefined) throw invalid("is not valid UTF-8");
  try {
    return parseStrictJson(text, MANIFEST_LIMITS);
  } catch (error) {
    if (error instanceof StrictJsonError) throw invalid(error.message, "/", error);
    throw error;
  }
}

/** @returns the text, or `undefined` where the bytes are not valid UTF-8 */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strictText.decode(bytes);
  } catch {
    return undefined;
  }
}

function invalid(message: string, path = "/", cause?: unknown): PlatformError {
  const issues: ValidationIssue[] = [{ path, message }];
  const where = path === "/" ? "" : `${path} `;
  return new PlatformError("CS_VALIDATION_MANIFEST_INVALID", `manifest.json ${where}${message}`, {
    details: { issues },
    cause,
  });
}
