import type { Fence } from "@sous/store";

/** A time in which this process is the leader; the object is the identity of the term. */
export interface Term {
  /** What the scheduler's writes are fenced with; `undefined` where there is nobody else. */
  readonly fence: Fence | undefined;
}

/** Who of several processes publishes ticks. */
export interface Leadership extends AsyncDisposable {
  /** @returns the term, as long as nobody else can have begun one */
  term(): Term | undefined;
  /** Hears of each term that begins. */
  onTerm(listener: () => void): void;
}

const ALWAYS: Term = { fence: undefined };

/** The leadership of a process that is alone with its store. */
export const createLocalLeadership = (): Leadership => ({
  term: () => ALWAYS,
  onTerm: () => {},
  [Symbol.asyncDispose]: async () => {},
});
