import type { Budgets, Capabilities, SecretGrant, TriggerType } from "@sous/contract";
import type { HostAnswer, HostCall, SandboxOutcome } from "@sous/sandbox";

/** A version, and the secrets it may use. */
export interface SecretScope {
  readonly tenant: string;
  readonly namespace: string;
  readonly function: string;
  readonly version: number;
  readonly secrets: readonly SecretGrant[];
}

/** Takes the secrets that a version has got out of what it says. */
export interface SecretGuard {
  /** @returns a line of the log without them */
  line(text: string): string;
  /** @returns the end of an activation without them in its error, and in its result without those bound to a host */
  outcome(outcome: SandboxOutcome): SandboxOutcome;
}

/**
 * On whose behalf host calls are made: one for all calls of an activation, whose counters it keeps for budgets and
 * record.
 */
export interface PowerScope extends SecretScope {
  readonly activationId: string;
  readonly trigger: TriggerType;
  readonly capabilities: Capabilities;
  readonly deadlineMs: number;
  readonly budgets: Budgets;
  /** How many functions called one another up to this one, itself not counted. */
  readonly depth: number;
  egressBytes: number;
  openFetches: number;
  openFetchesPeak: number;
  /** Calls that wait until another of the activation has ended; absent while none does. */
  waitingFetches?: (() => void)[];
}

/** The powers of the platform that functions reach through `cs.*`: each call is checked here, outside the sandbox. */
export interface HostPowers extends AsyncDisposable {
  /** Never rejects: a refusal, a bad argument and a failure are all answers with a code. */
  call(scope: PowerScope, call: HostCall): Promise<HostAnswer>;
  /** @returns the guard of a version with secrets, which everything it says has to pass; `undefined` without any */
  guardOf(scope: SecretScope): SecretGuard | undefined;
}
