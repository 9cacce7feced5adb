import ivm from "isolated-vm";
import { Place, type PlaceMaker, type SharedIsolate } from "./place.ts";

/** Contexts an isolate holds. */
const PLACES_MAX = 32;
/** An isolate that holds more than this part of its memory takes nobody else: the rest is for who runs. */
const HELD_MAX = 1 / 4;
const MiB = 1024 * 1024;

export interface SharedIsolates {
  /** Makes a place of so many MiB, in the fullest isolate of that size that has room. */
  make(memoryMb: number): Place;
  /** @returns whether a place that was made ahead has room where it is */
  hasRoom(place: Place): boolean;
}

/**
 * Makes places for programs that agree to share an isolate, a context each. Such a place takes a sixth of the memory of an
 * isolate and half of the time.
 */
export function createSharedIsolates(maker: PlaceMaker): SharedIsolates {
  const isolates = new Map<number, Set<SharedIsolate>>();

  function withRoom(memoryMb: number): SharedIsolate | undefined {
    const known = isolates.get(memoryMb) ?? new Set();
    const open: SharedIsolate[] = [];
    for (const shared of known) {
      if (shared.closed || shared.isolate.isDisposed) known.delete(shared);
      else if (shared.places.size < PLACES_MAX) open.push(shared);
    }
    if (known.size === 0) isolates.delete(memoryMb);
    open.sort((a, b) => b.places.size - a.places.size);
    return open.find((shared) => holdsLittle(shared, memoryMb));
  }

  return {
    make(memoryMb) {
      const shared = withRoom(memoryMb);
      if (shared !== undefined) {
        try {
          return new Place(maker, memoryMb, shared);
        } catch {
          // It had less room than it seemed.
          shared.closed = true;
        }
      }
      const isolate = new ivm.Isolate({ memoryLimit: memoryMb });
      const made: SharedIsolate = {
        isolate,
        places: new Set(),
        closed: false,
        memorySample: 0,
        externalSample: 0,
      };
      const place = new Place(maker, memoryMb, made);
      isolates.set(memoryMb, (isolates.get(memoryMb) ?? new Set()).add(made));
      return place;
    },
    hasRoom: ({ shared, memoryMb }) => shared === undefined || holdsLittle(shared, memoryMb),
  };
}

function holdsLittle(shared: SharedIsolate, memoryMb: number): boolean {
  const { used_heap_size, externally_allocated_size } = shared.isolate.getHeapStatisticsSync();
  shared.externalSample = externally_allocated_size;
  shared.memorySample = used_heap_size + externally_allocated_size;
  return shared.memorySample <= memoryMb * MiB * HELD_MAX;
}
