import { LIMITS } from "@sous/contract/limits";
import { cutText } from "./bounded-text.ts";
import { inspect } from "./inspect.ts";
import { withoutOwnFrames } from "./own-frames.ts";
import { define, NativeError } from "./primordials.ts";

/** The code of an error the host gives for a call the version may not make. */
export const DENIED_CODE = "CS_RUNTIME_CAPABILITY_DENIED";

/** The code of an error about a budget that is used up. */
export const BUDGET_CODE = "CS_RUNTIME_BUDGET_EXCEEDED";

/** Something thrown, read once: bounded strings, and what kind of refusal it was. */
export interface Thrown {
  type: "Exception" | "CapabilityDenied" | "BudgetExceeded";
  message: string;
  stack: string;
  /** Which budget, with `BudgetExceeded`. */
  budget: string;
}

/**
 * Reads whatever was thrown. Getters and proxies of a hostile value run here, inside the slice and its
 * timeout, never later on the host's side of the border.
 */
export function readThrown(value: unknown): Thrown {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    const message = typeof value === "string" && value !== "" ? value : `thrown: ${inspect(value)}`;
    return { message: cutMessage(message), stack: "", type: "Exception", budget: "" };
  }
  const name = readText(value, "name");
  const text = readText(value, "message");
  const code = readText(value, "code");
  const message = name === "" || name === "Error" ? text : `${cutText(name, 256)}: ${cutMessage(text)}`;
  return {
    message: cutMessage(message) || `thrown: ${inspect(value)}`,
    stack: cutText(withoutOwnFrames(readText(value, "stack")), LIMITS.stackBytesMax),
    type: code === DENIED_CODE ? "CapabilityDenied" : code === BUDGET_CODE ? "BudgetExceeded" : "Exception",
    budget: code === BUDGET_CODE ? cutText(readText(value, "budget"), 64) : "",
  };
}

/** @returns what is thrown when a budget is used up; code that goes on without may catch it */
export function budgetError(message: string, budget: string): Error {
  const error = new NativeError(message);
  define(error, "code", BUDGET_CODE);
  define(error, "budget", budget);
  return error;
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
