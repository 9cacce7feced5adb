import { PlatformError } from "@sous/contract";
import type { Message } from "../codeq.ts";

const NAME_LENGTH_MAX = 512;
/** Tenants and lanes that were looked at: each stands in many messages. */
const CHECKED_MAX = 10_000;
const checked = new Set<string>();

/** @throws CS_VALIDATION_FAILED for what no name in a server can be */
export function checkTopic(topic: string): void {
  // Braces would change the part of a key that names its slot.
  if (/[{}]/.test(topic)) throw invalid("topic", "holds a brace");
  checkName("topic", topic);
}

/** @throws CS_VALIDATION_FAILED for what a server's copy of it cannot hold */
export function checkMessage(message: Message<unknown>): void {
  checkName("id", message.id);
  checkOnce("tenant", message.tenant);
  checkOnce("lane", message.lane);
  for (const field of ["attempt", "enqueued_at_ms", "due_at_ms", "expires_at_ms"] as const) {
    const value = message[field];
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(field, "is no whole number from 0 on");
  }
}

function checkOnce(field: string, value: string): void {
  if (checked.has(value)) return;
  checkName(field, value);
  if (checked.size >= CHECKED_MAX) checked.clear();
  checked.add(value);
}

function checkName(field: string, value: string): void {
  // eslint-disable-next-line no-control-regex -- they separate names inside the keys
  if (/[\u0000-\u001f]/.test(value)) throw invalid(field, "holds a control character");
  if (value === "" || value.length > NAME_LENGTH_MAX)
    throw invalid(field, `is not 1–${NAME_LENGTH_MAX} long`);
}

const invalid = (field: string, problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `a message's ${field} ${problem}; mend the publisher`);
