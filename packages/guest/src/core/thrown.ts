import { LIMITS } from "@sous/contract/limits";
import { cutText } from "./bounded-text.ts";
import { inspect } from "./inspect.ts";
import { withoutOwnFrames } from "./own-frames.ts";

/** The code of an error the host gives for a call the version may not make. */
export const DENIED_CODE = "CS_RUNTIME_CAPABILITY_DENIED";

/** Something thrown, read once: three bounded strings and whether it was a refusal. */
export interface Thrown {
  message: string;
  stack: string;
  denied: boolean;
}

/**
 * Reads whatever was thrown. Getters and proxies of a hostile value run here, inside the slice and its
 * timeout, never later on the host's side of the border.
 */
export function readThrown(value: unknown): Thrown {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    const message = typeof value === "string" && value !== "" ? value : `thrown: ${inspect(value)}`;
    return { message: cutMessage(message), stack: "", denied: false };
  }
  const name = readText(value, "name");
  const text = readText(value, "message");
  const message = name === "" || name === "Error" ? text : `${cutText(name, 256)}: ${cutMessage(text)}`;
  return {
    message: cutMessage(message) || `thrown: ${inspect(value)}`,
    stack: cutText(withoutOwnFrames(readText(value, "stack")), LIMITS.stackBytesMax),
    denied: readText(value, "code") === DENIED_CODE,
  };
}

const cutMessage = (text: string): string => cutText(text, LIMITS.errorBytesMax - 1024);

function readText(value: object, key: string): string {
  try {
    const found = (value as Record<string, unknown>)[key];
    return typeof found === "string" ? found : "";
  } catch {
    return "";
  }
}
