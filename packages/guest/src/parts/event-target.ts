import { dispatch, Event } from "./event.ts";

type Callback = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

interface Listener {
  type: string;
  callback: Callback;
  capture: boolean;
  once: boolean;
  passive: boolean;
  removed: boolean;
}

interface ListenerOptions {
  capture?: boolean;
  once?: boolean;
  passive?: boolean;
  signal?: EventTarget & { readonly aborted: boolean };
}

let report: (thrown: unknown) => void = () => undefined;

/** @param given hears what listeners throw: the event goes on to the next listener all the same */
export function setListenerErrorReport(given: (thrown: unknown) => void): void {
  report = given;
}

/** Something listeners can be added to. @see https://dom.spec.whatwg.org/#interface-eventtarget */
export class EventTarget {
  #listeners: Listener[] = [];

  addEventListener(type: string, callback: Callback | null, options?: ListenerOptions | boolean): void {
    if (callback === null || callback === undefined) return;
    if (typeof callback !== "function" && typeof callback !== "object") {
      throw new TypeError("a listener is a function or an object with a method handleEvent");
    }
    const settings = typeof options === "object" && options !== null ? options : {};
    const capture = captureOf(options);
    const { signal } = settings;
    if (signal?.aborted === true || this.#find(`${type}`, callback, capture) !== undefined) return;
    const listener: Listener = {
      type: `${type}`,
      callback,
      capture,
      once: Boolean(settings.once),
      passive: Boolean(settings.passive),
      removed: false,
    };
    this.#listeners.push(listener);
    signal?.addEventListener("abort", () => this.#remove(listener), { once: true });
  }

  removeEventListener(type: string, callback: Callback | null, options?: ListenerOptions | boolean): void {
    const found = callback === null ? undefined : this.#find(`${type}`, callback, captureOf(options));
    if (found !== undefined) this.#remove(found);
  }

  dispatchEvent(event: Event): boolean {
    if (!(event instanceof Event)) throw new TypeError("dispatchEvent takes an Event");
    return dispatch(event, this, (step) => {
      const due = this.#listeners.filter((listener) => listener.type === event.type);
      for (const listener of due) {
        if (step.stopped()) return;
        if (listener.removed) continue;
        if (listener.once) this.#remove(listener);
        step.setPassive(listener.passive);
        this.#call(listener.callback, event);
      }
    });
  }

  get [Symbol.toStringTag](): string {
    return "EventTarget";
  }

  #call(callback: Callback, event: Event): void {
    try {
      if (typeof callback === "function") callback.call(this, event);
      else callback.handleEvent(event);
    } catch (thrown) {
      report(thrown);
    }
  }

  #find(type: string, callback: Callback, capture: boolean): Listener | undefined {
    return this.#listeners.find(
      (listener) => listener.type === type && listener.callback === callback && listener.capture === capture,
    );
  }

  #remove(listener: Listener): void {
    listener.removed = true;
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }
}

const captureOf = (options: ListenerOptions | boolean | undefined): boolean =>
  typeof options === "boolean" ? options : Boolean(options?.capture);
