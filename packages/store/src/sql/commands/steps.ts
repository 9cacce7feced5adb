import type { Statement } from "../statement.ts";

/** What a command asks its driver for: a compiled statement with its parameters, and which part of the answer. */
export interface Step {
  /** `nothing`: the driver need not wait; `run`: the number of rows changed; `get`: the first row or `undefined`; `all`: every row. */
  readonly want: "nothing" | "run" | "get" | "all";
  readonly statement: Statement<never, unknown>;
  readonly parameters: object;
}

/**
 * A command as the statements it takes: it yields one, is resumed with its answer, and returns its own. So one
 * command serves a driver that answers at once, in a thread, and one that waits for a network.
 */
export type Steps<Answer> = Generator<Step, Answer, unknown>;

/** Carries a statement out whose answer changes nothing. */
export function* send<P extends object, R>(statement: Statement<P, R>, parameters: P): Steps<void> {
  yield { want: "nothing", statement, parameters };
}

/** Asks for the number of rows a statement changed. */
export function* run<P extends object, R>(statement: Statement<P, R>, parameters: P): Steps<number> {
  return (yield { want: "run", statement, parameters }) as number;
}

/** Asks for the first row; its prototype may be null, so it must not leave the driver as it is. */
export function* get<P extends object, R>(statement: Statement<P, R>, parameters: P): Steps<R | undefined> {
  return (yield { want: "get", statement, parameters }) as R | undefined;
}

/** Asks for every row, as `get`. */
export function* all<P extends object, R>(statement: Statement<P, R>, parameters: P): Steps<R[]> {
  return (yield { want: "all", statement, parameters }) as R[];
}
