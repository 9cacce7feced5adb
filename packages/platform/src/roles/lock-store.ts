import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { lockData } from "./lock-data.ts";

/**
 * Takes the store a URL names for this process alone, where the engine's own end does not: a file.
 * @param as a target is made, a source has to be there
 * @throws CS_CONFLICT while a platform works on it
 */
export function lockStore(url: string, as: "source" | "target"): Disposable {
  const path = url.slice("sqlite:".length);
  if (!url.startsWith("sqlite:") || (as === "source" && !existsSync(path))) return { [Symbol.dispose]() {} };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return lockData(path);
}
