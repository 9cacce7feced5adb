import type { ActivationRecord } from "@sous/contract";

/**
 * What a follower of one activation's log hears: every line in order, then once `end`, with a record that is
 * not terminal where another attempt is to come.
 */
export type LogEvent =
  | { type: "chunk"; index: number; text: string }
  | { type: "end"; record: ActivationRecord };

/**
 * The activations this process is working on or has not finished writing: what the store cannot tell yet.
 * Reads go here first, then to the store.
 */
export interface LiveActivations {
  get(tenant: string, activationId: string): ActivationRecord | undefined;
  /** @returns chunks from number `from` on, or `undefined` when the activation is not live here */
  logs(tenant: string, activationId: string, from: number, limit: number): string[] | undefined;
  /**
   * Follows a live activation from chunk number `from` on; chunks that exist are delivered at once.
   * @returns a function that stops following, or `undefined` when the activation is not live here
   */
  follow(
    tenant: string,
    activationId: string,
    from: number,
    listener: (event: LogEvent) => void,
  ): (() => void) | undefined;
  /**
   * Calls `ended` once when an activation has ended here, also one that is not live yet; the caller looks for its
   * record afterwards. @returns a function that stops waiting, or `undefined` when too many wait
   */
  onEnd(activationId: string, ended: () => void): (() => void) | undefined;
  /** Tells those who wait that an activation has ended without having been live here. */
  announceEnd(activationId: string): void;
  /** Asks for an early end. @returns whether the activation is live here */
  cancel(tenant: string, activationId: string): boolean;
}
