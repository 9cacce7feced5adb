import { v5 } from "uuid";

/** Namespace of every activation id that is derived from an idempotency key (SPEC 15). */
const IDEMPOTENCY_NAMESPACE = "6f1f3b0e-52c1-4e0b-9d57-0d6a5f0c5b10";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;
/** Random bytes are drawn for many ids at once: drawing them one by one costs more than the rest of an id. */
const pool = new Uint8Array(RANDOM_CHARACTERS * 256);
let poolAt = pool.length;
let timeMs = 0;
let timeText = "";

/** @returns a ULID: 10 characters of time, 16 random ones (80 bits) */
function nextUlid(): string {
  const now = Date.now();
  if (now !== timeMs) {
    timeMs = now;
    timeText = encodeTime(now);
  }
  if (poolAt === pool.length) {
    crypto.getRandomValues(pool);
    poolAt = 0;
  }
  let text = timeText;
  const end = poolAt + RANDOM_CHARACTERS;
  while (poolAt < end) text += CROCKFORD[(pool[poolAt++] ?? 0) & 31];
  return text;
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
/** @returns a message id, `msg_` and a ULID */
export const newMessageId = (): string => `msg_${nextUlid()}`;
let uuidMs = 0;
let uuidPrefix = "";

/**
 * @returns a new activation id, UUID v7: a time and 74 random bits. Ids that grow with time are written to the
 * store's index side by side; random ones cost its writer twice the processor time.
 */
export function newActivationId(): string {
  const now = Date.now();
  if (now !== uuidMs) {
    uuidMs = now;
    const hex = now.toString(16).padStart(12, "0");
    uuidPrefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
  }
  // The rest of a random UUID from its third group on: 12 bits, variant, 62 bits.
  return uuidPrefix + crypto.randomUUID().slice(15);
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
 * Derives the activation id of a request with an `Idempotency-Key`.
 * @returns UUID v5 of the scope, the same for the same request
 */
export function idempotentActivationId(scope: IdempotencyScope): string {
  const { tenant, namespace, function: name, ref, sub, key } = scope;
  return v5(`${tenant}:${namespace}:${name}:${ref}:${sub}:${key}`, IDEMPOTENCY_NAMESPACE);
}
