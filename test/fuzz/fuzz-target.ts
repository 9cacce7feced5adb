import type { Random } from "./random.ts";

/** A boundary that is fed with damaged input. `Input` can be printed, and is the same for the same numbers. */
export interface FuzzTarget<Input> {
  readonly name: string;
  /** Opens what the input is fed to; closed at the end. */
  open(): Promise<OpenTarget<Input>>;
}

export interface OpenTarget<Input> extends AsyncDisposable {
  generate(random: Random): Input;
  /** @returns what went wrong, or `undefined` where everything held; what it throws went wrong as well */
  run(input: Input): Promise<string | undefined>;
  /** Smaller inputs to try when one went wrong, the smallest first. */
  smaller(input: Input): Iterable<Input>;
  /** The input as a person can read it and put it into a test. */
  show(input: Input): string;
}
