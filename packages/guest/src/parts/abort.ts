import { DOMException } from "./dom-exception.ts";
import { Event } from "./event.ts";
import { EventTarget } from "./event-target.ts";

export interface AbortClasses {
  AbortController: Function;
  AbortSignal: Function;
}

type AbortHandler = ((event: Event) => unknown) | null;

/**
 * Makes `AbortController` and `AbortSignal`.
 * @param startTimer starts the clock of `AbortSignal.timeout`
 */
export function createAbort(startTimer: (callback: () => void, delayMs: number) => void): AbortClasses {
  /** Only this file makes signals. */
  const key = Symbol("AbortSignal");
  /** Aborts a signal, once. */
  let trigger: (signal: AbortSignal, reason: unknown) => void;

  class AbortSignal extends EventTarget {
    #aborted = false;
    #reason: unknown;
    #handler: AbortHandler = null;
    #dependents: AbortSignal[] = [];

    static {
      trigger = (signal, reason) => {
        if (signal.#aborted) return;
        signal.#aborted = true;
        signal.#reason = reason ?? new DOMException("This operation was aborted", "AbortError");
        signal.dispatchEvent(new Event("abort"));
        const dependents = signal.#dependents;
        signal.#dependents = [];
        for (const dependent of dependents) trigger(dependent, signal.#reason);
      };
    }

    constructor(given?: symbol) {
      if (given !== key) throw new TypeError("Illegal constructor; use new AbortController().signal");
      super();
      this.addEventListener("abort", (event) => {
        const handler = this.#handler;
        if (handler !== null) Reflect.apply(handler, this, [event]);
      });
    }

    static abort(reason?: unknown): AbortSignal {
      const signal = new AbortSignal(key);
      trigger(signal, reason);
      return signal;
    }

    static timeout(milliseconds: number): AbortSignal {
      const delayMs = Number(milliseconds);
      if (!(delayMs >= 0)) throw new TypeError("AbortSignal.timeout takes milliseconds from 0 on");
      const signal = new AbortSignal(key);
      startTimer(
        () => trigger(signal, new DOMException("The operation timed out.", "TimeoutError")),
        delayMs,
      );
      return signal;
    }

    static any(signals: Iterable<AbortSignal>): AbortSignal {
      const signal = new AbortSignal(key);
      for (const source of signals) {
        if (source.aborted) {
          trigger(signal, source.reason);
          return signal;
        }
        source.#dependents.push(signal);
      }
      return signal;
    }

    get aborted(): boolean {
      return this.#aborted;
    }
    get reason(): unknown {
      return this.#reason;
    }
    get onabort(): AbortHandler {
      return this.#handler;
    }
    set onabort(handler: AbortHandler) {
      this.#handler = typeof handler === "function" ? handler : null;
    }
    throwIfAborted(): void {
      if (this.#aborted) throw this.#reason;
    }
    override get [Symbol.toStringTag](): string {
      return "AbortSignal";
    }
  }

  class AbortController {
    readonly #signal = new AbortSignal(key);

    get signal(): AbortSignal {
      return this.#signal;
    }
    abort(reason?: unknown): void {
      trigger(this.#signal, reason);
    }
    get [Symbol.toStringTag](): string {
      return "AbortController";
    }
  }
  return { AbortController, AbortSignal };
}
