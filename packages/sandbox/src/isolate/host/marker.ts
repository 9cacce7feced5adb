import { writeSync } from "node:fs";
import { MARKER_BYTES } from "../protocol.ts";

/**
 * Tells the invoker, through a file it can read after a kill, which activation holds the slice. Written
 * before user code runs, and once that is over at the end of the tick or of the cork, so that blame never falls on a neighbour.
 */
export interface Marker {
  enter(activation: number): void;
  leave(): void;
  /** Until `uncork`, which tells it, that a slice was left is not told. */
  cork(): void;
  uncork(): void;
}

/** @param fd the marker file, open for writing */
export function createMarker(fd: number): Marker {
  const words = new Uint32Array(MARKER_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  let clearing = false;
  let corked = false;
  let told = 0;

  function tell(): void {
    told = words[0] ?? 0;
    writeSync(fd, bytes, 0, MARKER_BYTES, 0);
  }

  function clear(): void {
    clearing = false;
    if (words[0] === 0 && told !== 0) tell();
  }

  return {
    enter(activation) {
      words[0] = activation;
      words[1] = ((words[1] ?? 0) + 1) >>> 0;
      if (activation > (words[2] ?? 0)) words[2] = activation;
      tell();
    },
    leave() {
      words[0] = 0;
      if (clearing || corked) return;
      clearing = true;
      process.nextTick(clear);
    },
    cork() {
      corked = true;
    },
    uncork() {
      corked = false;
      clear();
    },
  };
}
