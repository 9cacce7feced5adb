/**
 * Messages of a log in the order they were read: tells up to where all have ended, whatever the order of their ends.
 */
export class OrderedEnds<Position> {
  readonly #open: { id: string; position: Position; ended: boolean }[] = [];

  /** Up to where all have ended, where that is not written down yet. */
  #unwritten: Position | undefined;

  /** Whether nothing is left that was read and has not ended. */
  get isEmpty(): boolean {
    return this.#open.length === 0;
  }

  /** Positions of what was read and has not ended, or stands behind such. */
  get open(): readonly Position[] {
    return this.#open.map(({ position }) => position);
  }

  read(id: string, position: Position): void {
    this.#open.push({ id, position, ended: false });
  }

  /** @returns the position of the last message before which, itself included, all have ended; `undefined` where that has not moved */
  end(ids: Iterable<string>): Position | undefined {
    const wanted = new Set(ids);
    for (const entry of this.#open) if (wanted.has(entry.id)) entry.ended = true;
    const first = this.#open.findIndex(({ ended }) => !ended);
    const through = this.#open.splice(0, first < 0 ? this.#open.length : first);
    return through.at(-1)?.position;
  }

  /**
   * Ends messages, and writes down up to where all have ended, where that has moved. What could not be written is written by
   * the next call, also by one that ends nothing more.
   */
  async endAndWrite(ids: Iterable<string>, write: (position: Position) => Promise<void>): Promise<void> {
    this.#unwritten = this.end(ids) ?? this.#unwritten;
    const position = this.#unwritten;
    if (position === undefined) return;
    await write(position);
    if (this.#unwritten === position) this.#unwritten = undefined;
  }
}
