import { messageOf } from "../sql/refusal.ts";

/** Classes of SQLSTATE after which the server or the way to it, not the statement, is at fault. */
const FAILURE_CLASSES: Readonly<Record<string, string>> = {
  "08": "the connection failed",
  "28": "the server refuses this user or password",
  "3D": "there is no such database",
  "42501": "the user may not do this",
  "53": "the server is out of connections, memory or disk",
  "57": "the server is going down, or took too long",
  "58": "the server's system reports an error",
  XX: "the server reports damage",
  "25006": "the server only reads: it is a replica",
  "55P03": "a lock was held too long",
};

/** What a transaction that lost a race may simply try again: serialization, a number taken by another. */
const RACES = new Set(["40001", "23505"]);
const DEADLOCK = "40P01";

/**
 * Tells a failing server or connection from a failing statement. The client's own errors, as that a connection
 * broke, have no SQLSTATE.
 * @returns what is wrong, or `undefined` when only the statement failed
 */
export function engineFailure(error: unknown): string | undefined {
  const state = sqlStateOf(error);
  if (state === undefined) return messageOf(error) || "the connection failed";
  const known = FAILURE_CLASSES[state] ?? FAILURE_CLASSES[state.slice(0, 2)];
  return known === undefined ? undefined : `${known} (${messageOf(error)})`;
}

/** @returns whether the statement may succeed when it is tried again */
export const isRace = (error: unknown): boolean => RACES.has(sqlStateOf(error) ?? "");

/** @returns whether the transaction waited for another that waited for it, and gave way */
export const isDeadlock = (error: unknown): boolean => sqlStateOf(error) === DEADLOCK;

/** @returns whether the server said this itself: what it refused was not done */
export const isAnswer = (error: unknown): boolean => sqlStateOf(error) !== undefined;

function sqlStateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  // Errors of sockets have codes as ECONNREFUSED, and some of five letters, as EPIPE.
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : undefined;
}
