import { type DeadLetterBounds, trimEveryMs } from "../dead-letter-bounds.ts";
import { Alarm, type SetTimer } from "./alarm.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Entry } from "./lanes.ts";

/** Dead letters of a topic taken away at once. */
const TRIMMED_AT_ONCE = 1024;

export interface DeadLetterTrimmerOptions<Body> {
  clock: () => number;
  setTimer: SetTimer;
  bounds: DeadLetterBounds;
  topics: ReadonlyMap<string, { dead: DeadLetters<Body> }>;
  /** Lets go of what was taken away. */
  onTrimmed: (topic: string, entries: readonly Entry<Body>[]) => void;
}

/** Takes away what has been dead for too long, as long as there are dead letters. */
export class DeadLetterTrimmer<Body> {
  readonly #options: DeadLetterTrimmerOptions<Body>;
  readonly #alarm: Alarm;

  constructor(options: DeadLetterTrimmerOptions<Body>) {
    const { clock, setTimer } = options;
    this.#options = options;
    this.#alarm = new Alarm({ clock, setTimer, ring: () => this.#trim() });
  }

  /** There is a dead letter. */
  start(): void {
    this.#alarm.ensure(this.#options.clock() + trimEveryMs(this.#options.bounds));
  }

  close(): void {
    this.#alarm.close();
  }

  #trim(): void {
    const { clock, topics, onTrimmed } = this.#options;
    const nowMs = clock();
    for (const [name, { dead }] of topics) {
      const trimmed = dead.trim(nowMs, TRIMMED_AT_ONCE);
      onTrimmed(name, trimmed);
      if (trimmed.length === TRIMMED_AT_ONCE) this.#alarm.ensure(nowMs);
      else if (dead.size > 0) this.start();
    }
  }
}
