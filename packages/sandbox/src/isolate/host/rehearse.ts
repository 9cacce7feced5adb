import { Writable } from "node:stream";
import { completeBudgets } from "@sous/contract/budgets";
import { WARM_UP_CONTEXT_JSON, WARM_UP_EVENT_JSON } from "@sous/guest";
import { FrameWriter } from "../frame-writer.ts";
import { Activation } from "./activation.ts";
import { Engine } from "./engine.ts";
import type { Marker } from "./marker.ts";
import { Place, type PlaceMaker } from "./place.ts";
import { createPlacePool } from "./place-pool.ts";
import { Program } from "./program.ts";

const MEMORY_MB = 64;
const TIMEOUT_MS = 5000;
/** Nobody's: whoever reads the marker sees that no activation holds the slice. */
const NOBODY = 0;
const PATH = "main.js";
const HEADER = {
  key: "rehearsal",
  entry: PATH,
  handler: "default",
  isolation: "warm",
  memoryMb: MEMORY_MB,
  maxConcurrency: 1,
  budgets: completeBudgets(MEMORY_MB),
} as const;

/**
 * Runs a program of our own from its text to its answer, which goes nowhere. V8 compiles a function when it is first called:
 * a host that has done this once answers its first tenant's first call in a third of the time.
 */
export function rehearse(maker: PlaceMaker, marker: Marker): void {
  const make = (memoryMb: number): Place => new Place(maker, memoryMb);
  const pool = createPlacePool(make, { memoryMb: MEMORY_MB, size: 0, lastWorkAt: () => 0 });
  const writer = new FrameWriter(new Writable({ write: (_chunk, _encoding, done) => done() }));
  const engine = new Engine({ writer, marker, pool, sharedPool: pool, onWarm() {} });
  const program = new Program(NOBODY, HEADER, new Map([[PATH, "export default (event) => ({ event });"]]));
  const deadlineMs = Date.now() + TIMEOUT_MS;
  engine.start(new Activation(NOBODY, program, deadlineMs, WARM_UP_CONTEXT_JSON, WARM_UP_EVENT_JSON));
  engine.evict(program);
}
