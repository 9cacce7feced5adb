import type { ErrorCode } from "./errors.ts";
import type { FunctionErrorType } from "./invocation.ts";

const CODES = {
  Timeout: "CS_RUNTIME_TIMEOUT",
  MemoryLimit: "CS_RUNTIME_MEMORY_LIMIT",
  Exception: "CS_RUNTIME_EXCEPTION",
  CapabilityDenied: "CS_RUNTIME_CAPABILITY_DENIED",
  SandboxCrashed: "CS_RUNTIME_CRASHED",
  BundleError: "CS_RUNTIME_BUNDLE_INVALID",
  ResultTooLarge: "CS_RUNTIME_RESULT_TOO_LARGE",
  Cancelled: "CS_RUNTIME_CANCELLED",
  Expired: "CS_RUNTIME_EXPIRED",
  BudgetExceeded: "CS_RUNTIME_BUDGET_EXCEEDED",
  RoleMissing: "CS_AUTHZ_ROLE_MISSING",
} as const satisfies Record<FunctionErrorType, ErrorCode>;

/** @returns the code a caller sees for a failed function */
export const errorCodeOf = (type: FunctionErrorType): ErrorCode => CODES[type];

/** Failures an asynchronous activation is tried again for (SPEC 15). */
export const isRetryable = (type: FunctionErrorType): boolean =>
  type === "Exception" || type === "Timeout" || type === "MemoryLimit" || type === "SandboxCrashed";
