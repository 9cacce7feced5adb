import { PlatformError } from "@sous/contract";
import type { ScheduleStore, Store } from "@sous/store";

/** @returns the store's schedules. @throws CS_NOT_FOUND where its driver keeps none yet */
export function schedulesOf({ schedules }: Pick<Store, "schedules">): ScheduleStore {
  if (schedules !== undefined) return schedules;
  throw new PlatformError(
    "CS_NOT_FOUND",
    "the store of this platform keeps no schedules yet; use sqlite: or postgres://",
  );
}
