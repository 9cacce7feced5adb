import type { CadenceWorkerRecord } from "@sous/contract";
import type { ActivityTask } from "./activity-server.ts";

/** Values of an input that are told apart at most. */
const ARGUMENTS_MAX = 1000;
/** What may come before a value that is not inside quotes. */
const SPACE = /[\t\n\r ]/;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @returns which task an activation came from: what links it back to its workflow */
export function activitySource(
  { name, domain, tasklist }: Pick<CadenceWorkerRecord, "name" | "domain" | "tasklist">,
  { workflowId, runId, activityId, type, attempt }: ActivityTask,
): Record<string, unknown> {
  return { worker: name, domain, tasklist, workflowId, runId, activityId, activityType: type, attempt };
}

/**
 * Makes the event of an activity (SPEC 12): `type`, `cadence`, `input` and, where an earlier attempt left some, the
 * details of its last heartbeat.
 * @returns JSON text
 */
export function activityEvent(worker: CadenceWorkerRecord, task: ActivityTask): string {
  const { worker: _, ...cadence } = activitySource(worker, task);
  const event = { type: "cadence.activity", cadence, input: payloadOf(task.input) };
  if (task.heartbeatDetails.length === 0) return JSON.stringify(event);
  return JSON.stringify({ ...event, heartbeat: payloadOf(task.heartbeatDetails) });
}

/** Bytes as Cadence has them, and the values in them where they are JSON, as its clients write it. */
function payloadOf(bytes: Uint8Array): { raw_base64: string; args?: unknown[] } {
  const raw_base64 = Buffer.from(bytes).toString("base64");
  const args = argumentsOf(bytes);
  return args === undefined ? { raw_base64 } : { raw_base64, args };
}

/**
 * Reads the arguments of an activity: JSON values one after the other with white space between, as the clients in Go
 * and Python write them; or one value, as that in Java does.
 * @returns the values, `undefined` where the bytes are something else
 */
export function argumentsOf(bytes: Uint8Array): unknown[] | undefined {
  try {
    const text = utf8.decode(bytes).trim();
    if (text === "") return [];
    const values: unknown[] = [];
    for (let at = 0; at < text.length;) {
      const end = endOfValue(text, at);
      if (values.push(JSON.parse(text.slice(at, end))) > ARGUMENTS_MAX) return undefined;
      at = end;
      while (at < text.length && SPACE.test(text.charAt(at))) at++;
    }
    return values;
  } catch {
    return undefined;
  }
}

/** @returns where the JSON value that begins at `from` ends, if it is one */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') {
      at = endOfString(text, at);
      if (depth === 0) return at + 1;
    } else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (--depth <= 0) return at + 1;
    } else if (depth === 0 && SPACE.test(char)) return at;
  }
  return text.length;
}

function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text.charAt(at) === "\\") at++;
    else if (text.charAt(at) === '"') return at;
  }
  return text.length;
}
