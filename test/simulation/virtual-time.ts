/** A clock that stands until it is moved, with timers. Wall time may be set; monotonic time only goes on. */
export interface VirtualTime {
  monotonic(): number;
  wall(): number;
  /** Sets the wall clock by so many milliseconds, forward or back. */
  setWall(byMs: number): void;
  /** @param isQuiet what it runs has nothing to do afterwards */
  setTimer(run: () => void, delayMs: number, isQuiet?: boolean): () => void;
  /** Moves to the next timer that is not quiet and runs all up to it, not beyond a moment. @returns whether there was one */
  step(untilMs: number): boolean;
}

interface Timer {
  atMs: number;
  order: number;
  run: (() => void) | undefined;
  isQuiet: boolean;
}

/** @param epochMs the wall clock's first moment; monotonic time begins at 0 */
export function createVirtualTime(epochMs: number): VirtualTime {
  // A binary heap: the simulation has a timer for each activation that runs.
  const heap: Timer[] = [];
  let now = 0;
  let offset = epochMs;
  let order = 0;
  const isBefore = (a: Timer, b: Timer): boolean =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

  function push(timer: Timer): void {
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent] as Timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  function pop(): Timer | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child++;
      if (!isBefore(heap[child] as Timer, last)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  return {
    monotonic: () => now,
    wall: () => Math.round(now + offset),
    setWall: (byMs) => void (offset += byMs),
    setTimer(run, delayMs, isQuiet = false) {
      const timer: Timer = { atMs: now + Math.max(0, delayMs), order: order++, run, isQuiet };
      push(timer);
      return () => void (timer.run = undefined);
    },
    step(untilMs) {
      for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
        pop();
        if (next.run === undefined) continue;
        now = Math.max(now, next.atMs);
        next.run();
        if (!next.isQuiet) return true;
      }
      now = untilMs;
      return false;
    },
  };
}
