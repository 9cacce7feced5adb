import type { Limits } from "@sous/contract";
import type { LimitNote } from "./limit-note.ts";

const CADENCE = "test/support/cadence-suite.ts";

/** The limits of activities. */
export const CADENCE_LIMIT_NOTES = {
  cadenceWorkersPerNamespaceMax: {
    what: "Cadence workers of a namespace",
    past: "409",
    test: [
      "packages/platform/src/control/cadence-workers.test.ts",
      "a namespace holds so many workers and not one more",
    ],
  },
  cadenceInflightMax: {
    what: "activities of a worker at work at once, unless `limits.max_inflight_tasks` says otherwise",
    past: "it polls no more",
    test: [CADENCE, "no more than max_inflight_tasks are taken at once, and all of them run"],
  },
  cadenceInputBytesMax: {
    what: "input of an activity",
    past: "the activity fails with `input_too_large`",
    test: [CADENCE, "an input of 2 MiB is taken, one byte more fails clearly"],
  },
  cadenceHeartbeatsPerSecond: {
    what: "heartbeats of an activity a second",
    past: "the last of them is sent",
    test: [
      CADENCE,
      "heartbeats of a function reach Cadence, no more than two a second, the last one for certain",
    ],
  },
} satisfies Partial<Record<keyof Limits, LimitNote>>;
