import type { Message } from "../codeq.ts";

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
