import { PlatformError } from "@sous/contract";
import type { Message } from "../codeq.ts";

const NAME_LENGTH_MAX = 512;
/** Values of one message in a script's reply (`describe` of `lua/prelude.lua`). */
export const FIELDS_PER_MESSAGE = 9;

/** A message as a script described it, its body still text. */
export interface RawMessage {
  message: Message<string>;
  /** What ends the claim. */
  token: string;
}

/** @returns the message whose fields begin at `at` */
export function readMessage(topic: string, fields: readonly unknown[], at: number): RawMessage {
  const text = (offset: number): string => String(fields[at + offset]);
  const message = {
    id: text(0),
    topic,
    tenant: text(1),
    lane: text(2),
    body: text(8),
    attempt: Number(text(3)),
    enqueued_at_ms: Number(text(4)),
    due_at_ms: Number(text(5)),
    expires_at_ms: Number(text(6)),
  };
  return { message, token: text(7) };
}

/** @throws CS_VALIDATION_FAILED for what the keys and scripts cannot hold */
export function checkTopic(topic: string): void {
  // Braces would change the part of the key that names its slot.
  if (/[{}]/.test(topic)) throw invalid("topic", "holds a brace");
  checkName("topic", topic);
}

/** @throws CS_VALIDATION_FAILED for what the keys and scripts cannot hold */
export function checkMessage(message: Message<unknown>): void {
  checkName("id", message.id);
  checkName("tenant", message.tenant);
  checkName("lane", message.lane);
  for (const field of ["attempt", "enqueued_at_ms", "due_at_ms", "expires_at_ms"] as const) {
    const value = message[field];
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(field, "is no whole number from 0 on");
  }
}

function checkName(field: string, value: string): void {
  // eslint-disable-next-line no-control-regex -- they separate names inside the keys
  if (/[\u0000-\u001f]/.test(value)) throw invalid(field, "holds a control character");
  if (value === "" || value.length > NAME_LENGTH_MAX)
    throw invalid(field, `is not 1–${NAME_LENGTH_MAX} long`);
}

const invalid = (field: string, problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `a message's ${field} ${problem}; mend the publisher`);
