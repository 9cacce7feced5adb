import { writeSync } from "node:fs";
import { MARKER_BYTES } from "../protocol.ts";

/**
 * Tells the invoker, through a file it can read after a kill, which activation holds the slice. Written
 * before user code runs and once a tick after it, so that blame never falls on a neighbour.
 */
export interface Marker {
  enter(activation: number): void;
  leave(): void;
}

/** @param fd the marker file, open for writing */
export function createMarker(fd: number): Marker {
  const words = new Uint32Array(MARKER_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  let clearing = false;

  function clear(): void {
    clearing = false;
    if (words[0] !== 0) return;
    writeSync(fd, bytes, 0, MARKER_BYTES, 0);
  }

  return {
    enter(activation) {
      words[0] = activation;
      words[1] = ((words[1] ?? 0) + 1) >>> 0;
      if (activation > (words[2] ?? 0)) words[2] = activation;
      writeSync(fd, bytes, 0, MARKER_BYTES, 0);
    },
    leave() {
      words[0] = 0;
      if (clearing) return;
      clearing = true;
      process.nextTick(clear);
    },
  };
}
