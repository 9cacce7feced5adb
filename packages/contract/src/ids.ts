import { monotonicFactory } from "ulid";
import { v4, v5 } from "uuid";

/** Namespace of every activation id that is derived from an idempotency key (SPEC 15). */
const IDEMPOTENCY_NAMESPACE = "6f1f3b0e-52c1-4e0b-9d57-0d6a5f0c5b10";

const nextUlid = monotonicFactory();

/** @returns a request id, `req_` and a ULID */
export const newRequestId = (): string => `req_${nextUlid()}`;
/** @returns a draft id, `drf_` and a ULID */
export const newDraftId = (): string => `drf_${nextUlid()}`;
/** @returns a message id, `msg_` and a ULID */
export const newMessageId = (): string => `msg_${nextUlid()}`;
/** @returns a random activation id, UUID v4 */
export const newActivationId = (): string => v4();

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
