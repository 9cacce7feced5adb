import { Place, type PlaceMaker } from "./place.ts";

const REFILL_DELAY_MS = 2;
const CLASSES_MAX = 4;

export interface PlacePool {
  /** @returns a place made ahead, or one made now; `ready` tells which */
  take(memoryMb: number): { place: Place; ready: boolean };
  /** Makes the first places. */
  fill(): void;
}

/**
 * Places made ahead, so that no request waits for an isolate: some of the usual memory size, and of sizes
 * that were asked for lately. Making one blocks the host for 1–2 ms, so it is put off while work comes in.
 * @param lastWorkAt when work last came in, on the monotonic clock
 */
export function createPlacePool(
  maker: PlaceMaker,
  options: { memoryMb: number; size: number; lastWorkAt: () => number },
): PlacePool {
  const classes = new Map<number, Place[]>([[options.memoryMb, []]]);
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
      classes.get(memoryMb)?.push(new Place(maker, memoryMb));
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
      const place = remember(memoryMb).pop();
      schedule();
      return place === undefined
        ? { place: new Place(maker, memoryMb), ready: false }
        : { place, ready: true };
    },
    fill() {
      const places = classes.get(options.memoryMb);
      for (let i = 0; i < options.size; i++) places?.push(new Place(maker, options.memoryMb));
    },
  };
}
