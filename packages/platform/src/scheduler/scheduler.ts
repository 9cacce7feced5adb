import type { ScheduleRecord } from "@sous/contract";

/** Publishes the ticks of every schedule while this process is the leader. */
export interface Scheduler extends AsyncDisposable {
  /** Says that schedules changed, so that one which is due earlier than all others is not overlooked. */
  wake(): void;
}

/** What is told of the scheduler's work. */
export interface SchedulerMeter {
  /** A tick was published, so many milliseconds after it was due. */
  published(schedule: ScheduleRecord, lagMs: number): void;
  /** A tick has a record that says why it did not run. */
  refused(schedule: ScheduleRecord): void;
  /** Ticks were left out: so many because the one before had not ended, or however many were missed (counted as 1). */
  leftOut(schedule: ScheduleRecord, reason: "overlap" | "behind", count: number): void;
  /** A tick could not be published, and will be tried again. */
  publishFailed(schedule: ScheduleRecord, error: unknown): void;
  /** A state could not be written; nothing is lost, the tick is published again with the same id. */
  stateLost(schedule: ScheduleRecord, error: unknown): void;
}
