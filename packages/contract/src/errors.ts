/**
 * Every error code a caller can see, with its HTTP status and whether the same request may succeed later.
 * `docs/reference/errors.md` is generated from this table; a test compares both ways.
 */
export const ERROR_CATALOGUE = {
  CS_AUTHN_MISSING_TOKEN: { status: 401, retryable: false, hint: "Send `Authorization: Bearer <token>`." },
  CS_AUTHN_INVALID_TOKEN: { status: 401, retryable: false, hint: "Log in again, or create a new token." },
  CS_AUTHN_EXPIRED_TOKEN: { status: 401, retryable: false, hint: "Log in again, or create a new token." },
  CS_AUTHN_UNAVAILABLE: {
    status: 503,
    retryable: true,
    hint: "The identity service does not answer; try again.",
  },
  CS_AUTHZ_DENIED: { status: 403, retryable: false, hint: "Ask for a role that grants this action." },
  CS_AUTHZ_ROLE_MISSING: {
    status: 403,
    retryable: false,
    hint: "The version's role list has none of your roles.",
  },
  CS_AUTHZ_RESOURCE_MISMATCH: {
    status: 403,
    retryable: false,
    hint: "Your token belongs to another tenant.",
  },
  CS_VALIDATION_FAILED: { status: 400, retryable: false, hint: "Mend the field the message names." },
  CS_VALIDATION_MANIFEST_INVALID: {
    status: 400,
    retryable: false,
    hint: "Mend manifest.json as the details say.",
  },
  CS_VALIDATION_BUNDLE_TOO_LARGE: { status: 400, retryable: false, hint: "A bundle holds at most 16 MiB." },
  CS_VALIDATION_NAME_INVALID: {
    status: 400,
    retryable: false,
    hint: "Names are 3–64 of a-z 0-9 _ -, a letter first.",
  },
  CS_STORE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    hint: "The store cannot take writes now; try again.",
  },
  CS_STORE_WRITE_FAILED: {
    status: 500,
    retryable: true,
    hint: "The store refused the write; see the server's log.",
  },
  CS_STORE_READ_FAILED: {
    status: 500,
    retryable: true,
    hint: "The store refused the read; see the server's log.",
  },
  CS_BUNDLES_UNAVAILABLE: {
    status: 503,
    retryable: true,
    hint: "Where bundles are kept cannot be reached now; try again.",
  },
  CS_STORE_CAS_FAILED: {
    status: 409,
    retryable: false,
    hint: "Somebody else changed it first; read it again.",
  },
  CS_KVROCKS_UNAVAILABLE: { status: 503, retryable: true, hint: "The store cannot be reached; try again." },
  CS_KVROCKS_WRITE_FAILED: {
    status: 500,
    retryable: true,
    hint: "The store refused the write; see the server's log.",
  },
  CS_KVROCKS_READ_FAILED: {
    status: 500,
    retryable: true,
    hint: "The store refused the read; see the server's log.",
  },
  CS_KVROCKS_CAS_FAILED: {
    status: 409,
    retryable: false,
    hint: "Somebody else changed it first; read it again.",
  },
  CS_CODEQ_PUBLISH_FAILED: { status: 503, retryable: true, hint: "The queue takes no work now; try again." },
  CS_CODEQ_SUBSCRIBE_FAILED: {
    status: 503,
    retryable: true,
    hint: "The queue cannot be reached; try again.",
  },
  CS_CODEQ_CORRELATION_TIMEOUT: {
    status: 504,
    retryable: true,
    hint: "No answer in time; read the activation record.",
  },
  CS_RUNTIME_TIMEOUT: {
    status: 504,
    retryable: true,
    hint: "The function passed its timeout; see its logs.",
  },
  CS_RUNTIME_MEMORY_LIMIT: { status: 502, retryable: false, hint: "Raise limits.memoryMb or hold less." },
  CS_RUNTIME_EXCEPTION: { status: 502, retryable: false, hint: "The function failed; see its logs." },
  CS_RUNTIME_CAPABILITY_DENIED: {
    status: 502,
    retryable: false,
    hint: "Declare the capability in manifest.json.",
  },
  CS_RUNTIME_CRASHED: { status: 502, retryable: true, hint: "The sandbox died under the function." },
  CS_RUNTIME_BUNDLE_INVALID: {
    status: 502,
    retryable: false,
    hint: "Mend the code as the message says; publish anew.",
  },
  CS_RUNTIME_RESULT_TOO_LARGE: { status: 502, retryable: false, hint: "An answer holds at most 6 MiB." },
  CS_RUNTIME_BUDGET_EXCEEDED: {
    status: 502,
    retryable: false,
    hint: "Use less, or raise the budget that `details.budget` names in manifest.json.",
  },
  CS_RUNTIME_CANCELLED: { status: 502, retryable: false, hint: "Somebody cancelled the activation." },
  CS_RUNTIME_EXPIRED: { status: 502, retryable: false, hint: "The work grew too old in the queue." },
  CS_RUNTIME_EGRESS_FAILED: {
    status: 502,
    retryable: true,
    hint: "The other host failed or was too slow; the message says how.",
  },
  CS_EVENT_SIGNATURE_INVALID: {
    status: 401,
    retryable: false,
    hint: "Sign with the secret of the event source, in its scheme, with a clock that is right.",
  },
  CS_SECRET_NOT_FOUND: {
    status: 404,
    retryable: false,
    hint: "Set it with `cs secret set NAME`.",
  },
  CS_SECRET_UNAVAILABLE: {
    status: 503,
    retryable: true,
    hint: "The key it was encrypted with is not there; the operator has to give it back.",
  },
  CS_CADENCE_POLL_FAILED: { status: 502, retryable: true, hint: "Cadence refused the poll." },
  CS_CADENCE_RESPOND_FAILED: { status: 502, retryable: true, hint: "Cadence refused the answer." },
  CS_CADENCE_HEARTBEAT_FAILED: { status: 502, retryable: true, hint: "Cadence refused the heartbeat." },
  CS_SCHEDULER_STATE_WRITE_FAILED: {
    status: 500,
    retryable: true,
    hint: "The schedule's state was not saved.",
  },
  CS_SCHEDULER_LEADER_UNAVAILABLE: {
    status: 503,
    retryable: true,
    hint: "Who leads cannot be learnt now; look at the API server and the service account.",
  },
  CS_NOT_FOUND: { status: 404, retryable: false, hint: "Check the name, tenant and namespace." },
  CS_METHOD_NOT_ALLOWED: { status: 405, retryable: false, hint: "See /docs for what this path takes." },
  CS_CONFLICT: { status: 409, retryable: false, hint: "It exists already or was used up." },
  CS_APPROVAL_REQUIRED: {
    status: 409,
    retryable: false,
    hint: "Look at the new powers in the details, then send `approve: true`, with `cs:function:approve`.",
  },
  CS_IDEMPOTENCY_CONFLICT: {
    status: 409,
    retryable: false,
    hint: "Use a new Idempotency-Key for another body.",
  },
  CS_PAYLOAD_TOO_LARGE: { status: 413, retryable: false, hint: "Send less; see /docs for the limits." },
  CS_QUERY_TOO_LARGE: { status: 414, retryable: false, hint: "A query holds at most 16 KiB." },
  CS_HEADERS_TOO_LARGE: { status: 431, retryable: false, hint: "Headers hold at most 64 KiB." },
  CS_RATE_LIMITED: { status: 429, retryable: true, hint: "Wait as `Retry-After` says." },
  CS_BUDGET_EXHAUSTED: {
    status: 429,
    retryable: true,
    hint: "The tenant's or token's budget for this window is spent; wait as `Retry-After` says.",
  },
  CS_CALL_DEPTH_EXCEEDED: {
    status: 508,
    retryable: false,
    hint: "Functions call each other in a circle, or too deep; see budgets.depth_max.",
  },
  CS_QUEUE_FULL: {
    status: 429,
    retryable: true,
    hint: "The function's queue is full; wait as `Retry-After` says.",
  },
  CS_DRAINING: { status: 503, retryable: true, hint: "This process is shutting down; try again." },
  CS_INTERNAL: { status: 500, retryable: true, hint: "A fault of the platform; quote the request id." },
} as const satisfies Record<string, { status: number; retryable: boolean; hint: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export interface PlatformErrorOptions {
  /** More about it for machines; never a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
  /** Seconds after which the same request may succeed, for `Retry-After`. */
  retryAfterSeconds?: number;
}

/** A failure of the platform or of the request, with its code from the catalogue. Failing functions are values. */
export class PlatformError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: PlatformErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "PlatformError";
    this.code = code;
    this.status = ERROR_CATALOGUE[code].status;
    this.retryable = ERROR_CATALOGUE[code].retryable;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The body of every error answer. */
export interface ErrorEnvelope {
  error: { code: ErrorCode; message: string; request_id: string; details?: Record<string, unknown> };
}

/** @returns the error envelope of SPEC 6 for one request */
export function errorEnvelope(error: PlatformError, requestId: string): ErrorEnvelope {
  const body: ErrorEnvelope["error"] = { code: error.code, message: error.message, request_id: requestId };
  if (error.details !== undefined) body.details = error.details;
  return { error: body };
}
