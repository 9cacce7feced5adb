import { PlatformError } from "@sous/contract";

/** The fields of an options argument: own fields only, out of reach of any prototype. */
export type Options = ReadonlyMap<string, unknown>;

// More than the largest call: a body of 1 MiB in base64, or as JSON text where each byte may take six.
const CHARACTERS_MAX = 8 * 1024 * 1024;
const ARGUMENTS_MAX = 8;

/**
 * Parses the arguments of a host call.
 * @param json written by code nobody reviewed
 * @throws CS_VALIDATION_FAILED
 */
export function parseArguments(json: string): readonly unknown[] {
  if (json.length > CHARACTERS_MAX) {
    throw new PlatformError("CS_PAYLOAD_TOO_LARGE", `The arguments are over ${CHARACTERS_MAX} characters`);
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new PlatformError("CS_VALIDATION_FAILED", "The arguments are not JSON", { cause });
  }
  if (!Array.isArray(value) || value.length > ARGUMENTS_MAX) {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `The arguments are not an array of at most ${ARGUMENTS_MAX}`,
    );
  }
  return value;
}

/** Reads an argument that has to be text. @throws CS_VALIDATION_FAILED naming call and argument */
export function textArgument(call: string, name: string, value: unknown): string {
  if (typeof value !== "string" || !value.isWellFormed()) throw badArgument(call, `${name} must be a string`);
  return value;
}

/** Reads an argument that may be left out, else has to be an object. @throws CS_VALIDATION_FAILED */
export function optionsArgument(call: string, name: string, value: unknown): Options {
  if (value === undefined || value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value)) throw badArgument(call, `${name} must be an object`);
  return new Map(Object.entries(value));
}

/**
 * Prints a value that came as JSON back as JSON.
 * @throws CS_VALIDATION_FAILED when it is nested too deeply, CS_PAYLOAD_TOO_LARGE
 */
export function printJson(call: string, name: string, value: unknown, bytesMax: number): string {
  let json: string;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw badArgument(call, `${name} is nested too deeply`, cause);
  }
  if (Buffer.byteLength(json) > bytesMax) {
    throw new PlatformError("CS_PAYLOAD_TOO_LARGE", `${call}: ${name} is over ${bytesMax} bytes as JSON`);
  }
  return json;
}

/** @returns the error for an argument that is not what it has to be */
export const badArgument = (call: string, problem: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `${call}: ${problem}`, { cause });

/** @returns the refusal of a call the version's capabilities do not cover; names the line that would */
export const capabilityDenied = (call: string, what: string, cure: string): PlatformError =>
  new PlatformError("CS_RUNTIME_CAPABILITY_DENIED", `${call}: ${what}; ${cure} in manifest.json`);

/** @returns text from a function as it may stand in a message: quoted, escaped, cut */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));
