/** Pauses that end early, all of them, when there is something to do again. */
export class Pauses {
  readonly #resumes = new Set<() => void>();
  #closed = false;

  /** Settles after `ms` or with `resume`, at once when closed. A pause alone keeps no process alive. */
  async pause(ms: number): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resumes.add(resolve);
    const timer = setTimeout(resolve, ms);
    timer.unref();
    await promise;
    clearTimeout(timer);
    this.#resumes.delete(resolve);
  }

  resume(): void {
    for (const resolve of this.#resumes) resolve();
  }

  /** Ends all of them, and those to come. */
  close(): void {
    this.#closed = true;
    this.resume();
  }
}
