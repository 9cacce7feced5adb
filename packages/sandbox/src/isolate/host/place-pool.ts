import type { Place } from "./place.ts";

const REFILL_DELAY_MS = 2;
const CLASSES_MAX = 4;

export interface PlacePool {
  /** @returns a place made ahead, or one made now */
  take(memoryMb: number): Place;
  /** Makes the first places. */
  fill(): void;
}

/**
 * Places made ahead, so that no request waits for an isolate: some of the usual memory size, and of sizes
 * that were asked for lately. Making one blocks the host for 1–2 ms, so it is put off while work comes in.
 * @param make makes one of so many MiB
 * @param lastWorkAt when work last came in, on the monotonic clock
 */
export function createPlacePool(
  make: (memoryMb: number) => Place,
  options: {
    size: number;
    lastWorkAt: () => number;
    /** The usual size, of which there are `size` from the start (none is usual). */
    memoryMb?: number;
    /** Whether one that was made ahead can still be used (while it is usable). */
    accepts?: (place: Place) => boolean;
  },
): PlacePool {
  const classes = new Map<number, Place[]>();
  if (options.memoryMb !== undefined) classes.set(options.memoryMb, []);
  let timer: NodeJS.Timeout | undefined;
  let putOff = 0;

  function wanting(): number | undefined {
    for (const [memoryMb, places] of classes) {
      const wanted = memoryMb === options.memoryMb ? options.size : Math.min(1, options.size);
      if (places.length < wanted) return memoryMb;
    }
    return undefined;
  }

  function refill(): void {
    timer = undefined;
    const memoryMb = wanting();
    if (memoryMb === undefined) return;
    const busy = performance.now() - options.lastWorkAt() < REFILL_DELAY_MS;
    if (busy && putOff < 10) putOff++;
    else {
      putOff = 0;
      classes.get(memoryMb)?.push(make(memoryMb));
    }
    schedule();
  }

  function schedule(): void {
    if (timer === undefined && wanting() !== undefined) timer = setTimeout(refill, REFILL_DELAY_MS);
  }

  function remember(memoryMb: number): Place[] {
    const known = classes.get(memoryMb);
    if (known !== undefined) return known;
    if (classes.size >= CLASSES_MAX) {
      for (const [old, places] of classes) {
        if (old === options.memoryMb) continue;
        for (const place of places) place.dispose();
        classes.delete(old);
        break;
      }
    }
    const places: Place[] = [];
    classes.set(memoryMb, places);
    return places;
  }

  return {
    take(memoryMb) {
      const ready = remember(memoryMb).pop();
      schedule();
      if (ready?.usable && options.accepts?.(ready) !== false) return ready;
      // Those it would have shared its isolate with ended that, or left no room in it.
      ready?.dispose();
      return make(memoryMb);
    },
    fill() {
      const { memoryMb, size } = options;
      if (memoryMb === undefined) return;
      for (let i = 0; i < size; i++) remember(memoryMb).push(make(memoryMb));
    },
  };
}
