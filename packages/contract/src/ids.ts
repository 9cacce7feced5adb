import { v5 } from "uuid";

/** Namespace of every activation id that is derived from an idempotency key (SPEC 15). */
const IDEMPOTENCY_NAMESPACE = "6f1f3b0e-52c1-4e0b-9d57-0d6a5f0c5b10";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 14;
/** Two characters for each number below 1024: what tells ids of the same millisecond apart. */
const PAIRS = Array.from({ length: 1024 }, (_, i) => `${CROCKFORD[i >> 5]}${CROCKFORD[i & 31]}`);

let ulidMs = 0;
let ulidHead = "";
let ulidCount = PAIRS.length;

/** Random bytes drawn ahead: a draw of many costs as much as one of few. */
const pool = new Uint8Array(4096);
let poolAt = pool.length;

function nextRandom(count: number): Uint8Array {
  if (poolAt + count > pool.length) {
    crypto.getRandomValues(pool);
    poolAt = 0;
  }
  poolAt += count;
  return pool.subarray(poolAt - count, poolAt);
}

/**
 * @returns a ULID: 10 characters of time, 14 random ones drawn anew each millisecond, and a count within it.
 * An id costs one concatenation; drawing random bytes for each would cost more than the rest of a request's head.
 */
function nextUlid(): string {
  const now = Date.now();
  if (now !== ulidMs || ulidCount === PAIRS.length) {
    ulidMs = now;
    ulidCount = 0;
    ulidHead = encodeTime(now);
    for (const byte of nextRandom(RANDOM_CHARACTERS)) ulidHead += CROCKFORD[byte & 31];
  }
  return ulidHead + PAIRS[ulidCount++];
}

function encodeTime(now: number): string {
  let text = "";
  for (let left = now, i = 0; i < TIME_CHARACTERS; i++) {
    text = (CROCKFORD[left % 32] ?? "") + text;
    left = Math.floor(left / 32);
  }
  return text;
}

/** @returns a request id, `req_` and a ULID */
export const newRequestId = (): string => `req_${nextUlid()}`;
/** @returns a draft id, `drf_` and a ULID */
export const newDraftId = (): string => `drf_${nextUlid()}`;
/** @returns the id of an audit event, `aud_` and a ULID */
export const newAuditEventId = (): string => `aud_${nextUlid()}`;
/** @returns the id of a user, `usr_` and a ULID */
export const newUserId = (): string => `usr_${nextUlid()}`;
/** @returns a message id, `msg_` and a ULID */
export const newMessageId = (): string => `msg_${nextUlid()}`;
/** Three hexadecimal digits for each number below 4096. */
const COUNTS = Array.from({ length: 4096 }, (_, i) => i.toString(16).padStart(3, "0"));

let uuidMs = 0;
let uuidHead = "";
let uuidTail = "";
let uuidCount = COUNTS.length;

/**
 * @returns a new activation id, UUID v7: a time, a count within the millisecond, and 62 bits drawn anew each
 * millisecond. Ids that grow with time are written to the store's index side by side; random ones cost its
 * writer twice the processor time.
 * @see RFC 9562, 6.2, method 1
 */
export function newActivationId(): string {
  const now = Date.now();
  if (now !== uuidMs || uuidCount === COUNTS.length) {
    uuidMs = now;
    uuidCount = 0;
    const hex = now.toString(16).padStart(12, "0");
    uuidHead = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
    // Variant and 62 random bits: the last two groups of a random UUID.
    uuidTail = crypto.randomUUID().slice(18);
  }
  return uuidHead + COUNTS[uuidCount++] + uuidTail;
}

/** What makes two requests with an `Idempotency-Key` the same request. */
export interface IdempotencyScope {
  tenant: string;
  namespace: string;
  function: string;
  /** The reference as it was sent: `prod`, `17`, or `latest` when none was. */
  ref: string;
  /** Subject of the caller. */
  sub: string;
  key: string;
}

/**
 * @param what how one thing came from another: `destination`, `redrive`
 * @returns the activation id of what comes from an activation, UUID v5: the same each time, so that it runs once
 */
export const derivedActivationId = (what: string, activationId: string): string =>
  v5(`${what}:${activationId}`, IDEMPOTENCY_NAMESPACE);

/**
 * Derives the activation id of a request with an `Idempotency-Key`.
 * @returns UUID v5 of the scope, the same for the same request
 */
export function idempotentActivationId(scope: IdempotencyScope): string {
  const { tenant, namespace, function: name, ref, sub, key } = scope;
  return v5(`${tenant}:${namespace}:${name}:${ref}:${sub}:${key}`, IDEMPOTENCY_NAMESPACE);
}

/**
 * Derives the activation id of a tick, so that a tick that is published twice is one activation.
 * @param uid of the schedule, a UUID drawn when it was created
 * @returns UUID v5 of the tick's number in the namespace of the uid
 */
export function tickActivationId(uid: string, tickSeq: number): string {
  return v5(String(tickSeq), uid);
}

/**
 * Derives the activation id of an activity task, so that a task that is taken twice is one activation.
 * @param tokenSha256 SHA-256 of the task's token, hexadecimal
 */
export const activityActivationId = (tokenSha256: string): string =>
  v5(`cadence:${tokenSha256}`, IDEMPOTENCY_NAMESPACE);
