import Type, { type Static } from "typebox";
import { ResourceName } from "../names.ts";
import { ScheduleRecord, scheduleFields, ScheduleState } from "../schedule.ts";
import { pageOf } from "./paging.ts";

const closed = { additionalProperties: false } as const;
const { overlap_policy, ref, ...rest } = scheduleFields;

/** Body of `POST …/schedules`: `every_seconds`, or `cron` with its `timezone`. */
export const CreateScheduleBody = Type.Object(
  {
    name: ResourceName,
    ref,
    overlap_policy: Type.Optional(overlap_policy),
    ...Type.Partial(Type.Object(rest)).properties,
  },
  closed,
);
export type CreateScheduleBody = Static<typeof CreateScheduleBody>;

/** Body of `PATCH …/schedules/{name}`: what changes. Whatever it is, the schedule starts again from now. */
export const PatchScheduleBody = Type.Partial(Type.Object(scheduleFields, closed), {
  ...closed,
  minProperties: 1,
});
export type PatchScheduleBody = Static<typeof PatchScheduleBody>;

const shown = {
  ...ScheduleRecord.properties,
  tick_seq: ScheduleState.properties.tick_seq,
  next_tick_ms: ScheduleState.properties.next_tick_ms,
  inflight: ScheduleState.properties.inflight,
};

/** One of `GET …/schedules`: the schedule and where it stands. */
export const ScheduleItem = Type.Object(shown, closed);
export type ScheduleItem = Static<typeof ScheduleItem>;

/** Answer of POST, GET and PATCH of a schedule. */
export const ScheduleReply = Type.Object(
  {
    ...shown,
    next_runs: Type.Array(Type.Integer({ minimum: 0 }), {
      description: "When the next five ticks are due, epoch milliseconds; none while paused",
    }),
    warnings: Type.Array(Type.String(), { description: "What will not work yet, a line each" }),
  },
  closed,
);
export type ScheduleReply = Static<typeof ScheduleReply>;

/** Answer of `GET …/schedules`: by name, ascending. */
export const SchedulePage = pageOf(ScheduleItem);
export type SchedulePage = Static<typeof SchedulePage>;

/** Answer of `POST …/schedules/{name}:run`. */
export const RunScheduleReply = Type.Object(
  { activation_id: Type.String(), status: Type.Literal("queued") },
  closed,
);
export type RunScheduleReply = Static<typeof RunScheduleReply>;
