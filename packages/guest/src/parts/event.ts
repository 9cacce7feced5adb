export interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

/** What the dispatching target may change about an event; users see it read-only. */
interface Progress {
  target: object | null;
  phase: 0 | 2;
  stopped: boolean;
  canceled: boolean;
  passive: boolean;
}

const NONE = 0;
const AT_TARGET = 2;
let progressOf: (event: Event) => Progress;

/** An event that targets hand to their listeners. There is no tree here, so nothing bubbles. */
export class Event {
  static readonly NONE = NONE;
  static readonly CAPTURING_PHASE = 1;
  static readonly AT_TARGET = AT_TARGET;
  static readonly BUBBLING_PHASE = 3;
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly isTrusted = false;
  readonly timeStamp: number = Date.now();
  readonly #progress: Progress = {
    target: null,
    phase: NONE,
    stopped: false,
    canceled: false,
    passive: false,
  };

  static {
    progressOf = (event) => event.#progress;
  }

  constructor(type: string, init: EventInit = {}) {
    if (arguments.length === 0) throw new TypeError("an Event needs a type");
    this.type = `${type}`;
    this.bubbles = Boolean(init.bubbles);
    this.cancelable = Boolean(init.cancelable);
    this.composed = Boolean(init.composed);
  }

  get target(): object | null {
    return this.#progress.target;
  }
  get srcElement(): object | null {
    return this.#progress.target;
  }
  get currentTarget(): object | null {
    return this.#progress.phase === NONE ? null : this.#progress.target;
  }
  get eventPhase(): number {
    return this.#progress.phase;
  }
  get defaultPrevented(): boolean {
    return this.#progress.canceled;
  }
  composedPath(): object[] {
    const { target, phase } = this.#progress;
    return target === null || phase === NONE ? [] : [target];
  }
  preventDefault(): void {
    if (this.cancelable && !this.#progress.passive) this.#progress.canceled = true;
  }
  stopPropagation(): void {}
  stopImmediatePropagation(): void {
    this.#progress.stopped = true;
  }
  get [Symbol.toStringTag](): string {
    return "Event";
  }
}

/** An event with data of its owner's. */
export class CustomEvent extends Event {
  readonly detail: unknown;

  constructor(type: string, init: EventInit & { detail?: unknown } = {}) {
    super(type, init);
    this.detail = init.detail ?? null;
  }
  override get [Symbol.toStringTag](): string {
    return "CustomEvent";
  }
}

/**
 * Takes an event past a target's listeners.
 * @param deliver calls the listeners as long as it is told to go on
 * @returns whether nobody prevented the default
 */
export function dispatch(event: Event, target: object, deliver: (step: DispatchStep) => void): boolean {
  const progress = progressOf(event);
  progress.target = target;
  progress.phase = AT_TARGET;
  progress.stopped = false;
  try {
    deliver({
      stopped: () => progress.stopped,
      setPassive(passive) {
        progress.passive = passive;
      },
    });
  } finally {
    progress.phase = NONE;
    progress.passive = false;
  }
  return !progress.canceled;
}

export interface DispatchStep {
  stopped(): boolean;
  setPassive(passive: boolean): void;
}
