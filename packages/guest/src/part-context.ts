/** What a part gives: its globals by name, and what other parts or the core use under other names. */
export type PartExports = Readonly<Record<string, unknown>>;

/** What the core gives a part when it is loaded. Parts have no other way to the host. */
export interface PartContext {
  /** The host's clock: milliseconds since the activation started. */
  now(): number;
  /** Random bytes, one character each; at most 65536. */
  random(byteLength: number): string;
  /** Exports of another part, loaded when needed. */
  part(name: string): PartExports;
  /** `cs.http.fetch`. */
  httpFetch(url: string, options: object): Promise<unknown>;
  /** Starts a timer that keeps no activation alive: it is cleared when the handler has answered. */
  startBackgroundTimer(callback: () => void, delayMs: number): void;
  /** Reports what nobody can catch, like an error in an event listener. */
  crash(thrown: unknown): void;
}

/** What the part `fetch` gives the core, as `face`: events as requests, responses as results. */
export interface FetchFace {
  /** @param isWeb whether the event has the shape of an HTTP call; others become a POST with a JSON body */
  toRequest(event: unknown, isWeb: boolean): object;
  /** @returns whether it is a Response of this context */
  isResponse(value: object): boolean;
  /**
   * @returns an envelope of SPEC 3
   * @throws TypeError when it is not a Response
   */
  toResult(response: unknown): Promise<object>;
}
