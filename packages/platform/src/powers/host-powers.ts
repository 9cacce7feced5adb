import type { Capabilities, TriggerType } from "@sous/contract";
import type { HostAnswer, HostCall } from "@sous/sandbox";

/** On whose behalf a host call is made. The counters are kept for the activation record. */
export interface PowerScope {
  readonly tenant: string;
  readonly namespace: string;
  readonly function: string;
  readonly version: number;
  readonly activationId: string;
  readonly trigger: TriggerType;
  readonly capabilities: Capabilities;
  readonly deadlineMs: number;
  egressBytes: number;
}

/** The powers of the platform that functions reach through `cs.*`: each call is checked here, outside the sandbox. */
export interface HostPowers extends AsyncDisposable {
  /** Never rejects: a refusal, a bad argument and a failure are all answers with a code. */
  call(scope: PowerScope, call: HostCall): Promise<HostAnswer>;
}
