import type { Message } from "../codeq.ts";
import { Entry, type EntryState, type Lane } from "../memory/lanes.ts";

/**
 * A message of the coordinator's engine. All of them are in the log, so that none is lost with the coordinator; which
 * of the two bounds of its lane it counts in is another matter.
 */
export class CoordinatorEntry extends Entry<string> {
  readonly #countsAsDurable: boolean;

  constructor(message: Message<string>, lane: Lane<string>, countsAsDurable: boolean) {
    super(message, lane, true);
    this.#countsAsDurable = countsAsDurable;
  }

  override moveTo(state: EntryState): void {
    this.lane.count(this.state, this.#countsAsDurable, -1);
    this.lane.count(state, this.#countsAsDurable, 1);
    this.state = state;
  }
}
