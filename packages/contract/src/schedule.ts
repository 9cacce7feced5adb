import Type, { type Static } from "typebox";
import { FunctionRef } from "./invocation.ts";
import { LIMITS } from "./limits.ts";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });

export const OVERLAP_POLICIES = ["skip", "queue", "parallel"] as const;
/** What becomes of a tick while the activation of the one before has not ended. */
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

/** The longest interval: a day. What is rarer is a cron expression. */
const EVERY_SECONDS_MAX = 86_400;
const JITTER_SECONDS_MAX = 3600;
const CRON_CHARACTERS_MAX = 256;

/** The fields of a schedule that its owner sets, each with its bounds. */
export const scheduleFields = {
  every_seconds: Type.Integer({
    minimum: 1,
    maximum: EVERY_SECONDS_MAX,
    description: "Interval; this or `cron`",
  }),
  cron: Type.String({
    minLength: 1,
    maxLength: CRON_CHARACTERS_MAX,
    description: "Five fields, or six with seconds first, or @hourly, @daily, @weekly, @monthly, @yearly",
  }),
  timezone: Type.String({
    pattern: "^[A-Za-z][A-Za-z0-9_+/-]{0,63}$",
    description: "IANA time zone of `cron` (UTC)",
  }),
  overlap_policy: Type.Enum([...OVERLAP_POLICIES], {
    description: "skip: no tick while the one before runs; queue: one after the other; parallel: all",
  }),
  ref: FunctionRef,
  payload: Type.Unknown({ description: "The event of every tick" }),
  enabled: Type.Boolean({ description: "false: paused" }),
  jitter_seconds: Type.Integer({
    minimum: 0,
    maximum: JITTER_SECONDS_MAX,
    description: "Each tick starts up to so much later, its own delay each time (0)",
  }),
  max_catchup_ticks: Type.Integer({
    minimum: 0,
    maximum: LIMITS.scheduleCatchupMax,
    description: `Most ticks that are made up for after a pause of the platform (${LIMITS.scheduleCatchupMax})`,
  }),
};

const { every_seconds, cron, timezone, ...always } = scheduleFields;

export const ScheduleRecord = Type.Object(
  {
    tenant: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    /** Drawn at random when it is created; the ids of its ticks are made of it. */
    uid: Type.String(),
    every_seconds: Type.Optional(every_seconds),
    cron: Type.Optional(cron),
    /** Present where `cron` is. */
    timezone: Type.Optional(timezone),
    ...always,
    /** Counts changes by its owner, from 1. */
    generation: Type.Integer({ minimum: 1 }),
    created_at_ms: TimeMs,
    updated_at_ms: TimeMs,
  },
  closed,
);
/** A schedule as its owner wants it. Where it stands is `ScheduleState`. */
export type ScheduleRecord = Static<typeof ScheduleRecord>;

export const ScheduleState = Type.Object(
  {
    /** Number of the next tick. Grows, never goes back; a restart leaves one out. */
    tick_seq: Type.Integer({ minimum: 1 }),
    /** When the next tick is due; `null` while paused, or when there is none. */
    next_tick_ms: Type.Union([TimeMs, Type.Null()]),
    /** When the scheduler looks at it next: `next_tick_ms` with its jitter, or later after a failure. */
    due_at_ms: Type.Union([TimeMs, Type.Null()]),
    /** The activation of the last tick, until it is known to have ended (`skip` and `queue`). */
    inflight: Type.Union([Type.String(), Type.Null()]),
    /** While it catches up: the tick before which it gives up and goes on from now. */
    catchup_end_seq: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]),
  },
  closed,
);
/** Where a schedule stands; only the scheduler moves it, tick by tick. */
export type ScheduleState = Static<typeof ScheduleState>;
