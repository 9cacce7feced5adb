import { type Invocation, newActivationId, newRequestId } from "@sous/contract";

/** @returns a queued call of function `f` in its first attempt, with everything made up unless given */
export function sampleInvocation(fields: Partial<Invocation> = {}): Invocation {
  const nowMs = Date.now();
  return {
    activation_id: newActivationId(),
    request_id: newRequestId(),
    tenant: "t_default",
    namespace: "default",
    ref: { function: "f", version: 1 },
    trigger: { type: "api", source: {} },
    principal: { sub: "someone", roles: [] },
    deadline_ms: 0,
    mode: "async",
    expires_at_ms: nowMs + 60_000,
    attempt: 1,
    enqueued_at_ms: nowMs,
    new_id: true,
    strict: false,
    event_json: "null",
    ...fields,
  };
}
