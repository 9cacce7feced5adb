import type { JournalEntry } from "@sous/store";
import type { Message } from "../codeq.ts";

/** Who holds a message, and until when. */
export interface HeldBy {
  token: string;
  untilMs: number;
}

/** A message as the log has it. */
export interface LoggedMessage {
  /** Its number in the order of publishing; an id may come again, a key does not. */
  key: number;
  entry: JournalEntry;
  durable: boolean;
  claim: HeldBy | null;
  /** The log's message that holds all of it. */
  home: number;
}

/*
 * A message of the log is a JSON list of records:
 *   ["l", coordinator]      somebody coordinates from here on, and nobody before
 *   ["p", key, durable, id, topic, tenant, lane, enqueued, expires, attempt, due, dead, reason, token, until, body]
 *   ["s", key, attempt, due, dead, reason, token, until]   it is in another state
 *   ["g", key]              it is gone
 *   ["n"]                   nothing: a check
 */

/** @returns it as the engine knows it */
export function messageOf({ entry }: LoggedMessage): Message<string> {
  const { id, topic, tenant, lane, body_json, attempt, enqueued_at_ms, due_at_ms, expires_at_ms } = entry;
  return { id, topic, tenant, lane, body: body_json, attempt, enqueued_at_ms, due_at_ms, expires_at_ms };
}

export const leadRecord = (name: string): string => JSON.stringify(["l", name]);
export const NOTHING_RECORD = '["n"]';
export const goneRecord = (key: number): string => `["g",${key}]`;

export const stateRecord = (message: LoggedMessage): string =>
  JSON.stringify(["s", message.key, ...stateOf(message)]);

export function putRecord(message: LoggedMessage): string {
  const { key, durable, entry } = message;
  const { id, topic, tenant, lane, enqueued_at_ms, expires_at_ms, body_json } = entry;
  const fixed = [key, durable ? 1 : 0, id, topic, tenant, lane, enqueued_at_ms, expires_at_ms];
  return JSON.stringify(["p", ...fixed, ...stateOf(message), body_json]);
}

function stateOf({ entry, claim }: LoggedMessage): (string | number | null)[] {
  const { attempt, due_at_ms, dead, dead_reason } = entry;
  return [attempt, due_at_ms, dead ? 1 : 0, dead_reason, claim?.token ?? null, claim?.untilMs ?? 0];
}

/** What the records of a log come to. */
export class LogReplay {
  readonly messages = new Map<number, LoggedMessage>();
  keyMax = 0;

  /** Takes the next message of the log. @throws SyntaxError where it is none of ours */
  take(text: string, sequence: number): void {
    for (const [kind, key = 0, ...fields] of JSON.parse(text) as [string, number, ...unknown[]][]) {
      if (kind === "p") this.#put(key, fields, sequence);
      else if (kind === "s") this.#change(key, fields);
      else if (kind === "g") this.messages.delete(key);
      else continue;
      this.keyMax = Math.max(this.keyMax, key);
    }
  }

  #put(key: number, fields: readonly unknown[], home: number): void {
    const [durable, id, topic, tenant, lane, enqueued, expires] = fields;
    const entry = {
      id: String(id),
      topic: String(topic),
      tenant: String(tenant),
      lane: String(lane),
      enqueued_at_ms: Number(enqueued),
      expires_at_ms: Number(expires),
      body_json: String(fields[13]),
      attempt: 1,
      due_at_ms: 0,
      dead: false,
      dead_reason: null,
    };
    // Those written again by a clean-up come in another order than they were published; keys tell that.
    this.messages.delete(key);
    this.messages.set(key, { key, durable: durable === 1, entry, claim: null, home });
    this.#change(key, fields.slice(7));
  }

  #change(key: number, [attempt, due, dead, reason, token, until]: readonly unknown[]): void {
    const message = this.messages.get(key);
    if (message === undefined) return;
    message.entry = {
      ...message.entry,
      attempt: Number(attempt),
      due_at_ms: Number(due),
      dead: dead === 1,
      dead_reason: reason === null ? null : String(reason),
    };
    message.claim = token === null ? null : { token: String(token), untilMs: Number(until) };
  }
}
