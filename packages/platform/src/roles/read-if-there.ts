import { readFileSync } from "node:fs";
import { PlatformError } from "@sous/contract";

/** @returns the text of a file, `undefined` when there is none. @throws CS_VALIDATION_FAILED when it cannot be read */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new PlatformError("CS_VALIDATION_FAILED", `${path} cannot be read`, { cause: error });
  }
}
