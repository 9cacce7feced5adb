import type { Message } from "../codeq.ts";

/** What a process asks of the coordinator. */
export type Op =
  | "publish"
  | "consume"
  | "credit"
  | "leave"
  | "settle"
  | "cancel"
  | "depth"
  | "dead"
  | "topics"
  | "discard"
  | "dead-count"
  | "headings"
  | "letter"
  | "redrive"
  | "weight"
  | "check";

/**
 * How a claim ends or goes on: ack, nack, release, dead, extend, refused, and heard of an expired message, with the reason
 * where it is a dead letter.
 */
export type SettleOp = "a" | "n" | "r" | "d" | "x" | "f" | "e";

/** A call within a frame: its number (0 where nobody waits for an answer), what is asked, and its arguments. */
export type WireCall = [call: number, op: Op, ...args: unknown[]];
/** What a process sends to the coordinator: who it is, and calls. */
export type CallFrame = [process: string, calls: WireCall[]];

/** A message, its body text. */
export type WireMessage = [
  id: string,
  topic: string,
  tenant: string,
  lane: string,
  attempt: number,
  enqueuedAtMs: number,
  dueAtMs: number,
  expiresAtMs: number,
  body: string,
];

export interface WireError {
  code: string;
  message: string;
}

/** What a process hears: answers, deliveries, expired messages, and that the coordinator does not know its consumer. */
export type WireItem =
  | ["ok", call: number, value: unknown]
  | ["no", call: number, error: WireError]
  | ["deliver", consumer: string, session: number, token: string, leaseUntilMs: number, message: WireMessage]
  | ["expired", consumer: string, session: number, token: string, message: WireMessage]
  | ["again", consumer: string, session: number];

/** A coordinator that is no more says so: the call was not taken. */
export const MOVED = "moved";

/** Where things are said. */
export const subjectsOf = (prefix: string) => ({
  /** Every coordinator says that it is there, and its last word. */
  beat: `${prefix}.beat`,
  /** Who coordinates? */
  who: `${prefix}.who`,
  /** Calls for the coordinator of an epoch. */
  calls: (epoch: number): string => `${prefix}.call.${epoch}`,
  /** What a process hears; the last word is the number of a frame it sent, 0 otherwise. */
  process: (name: string, frame: number | "*"): string => `${prefix}.to.${name}.${frame}`,
  /** What a coordinator hears where a process is gone. */
  unheard: (epoch: number, frame: number | "*"): string => `${prefix}.unheard.${epoch}.${frame}`,
  /** Results for a gateway. */
  replies: (channel: string): string => `${prefix}.reply.${channel}`,
});
export type Subjects = ReturnType<typeof subjectsOf>;

export const toWire = (message: Message<string>): WireMessage => [
  message.id,
  message.topic,
  message.tenant,
  message.lane,
  message.attempt,
  message.enqueued_at_ms,
  message.due_at_ms,
  message.expires_at_ms,
  message.body,
];

export const fromWire = (fields: WireMessage): Message<string> => ({
  id: fields[0],
  topic: fields[1],
  tenant: fields[2],
  lane: fields[3],
  attempt: fields[4],
  enqueued_at_ms: fields[5],
  due_at_ms: fields[6],
  expires_at_ms: fields[7],
  body: fields[8],
});

/** @returns whether an empty message says that nobody listens where it was an answer for */
export const isUnheard = (message: { data: Uint8Array; headers?: { code: number } | undefined }): boolean =>
  message.data.length === 0 && message.headers?.code === 503;
