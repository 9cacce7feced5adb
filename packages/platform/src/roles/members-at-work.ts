import { PlatformError } from "@sous/contract";
import type { StoreEnd } from "@sous/store";
import { MEMBER_KIND, readMember } from "../members/member-record.ts";

/** Kinds of resources that say who works on a store: what is copied from it leaves them behind. */
export const MOMENTARY_KINDS: readonly string[] = [MEMBER_KIND];

/** A process that wrote its heartbeat so lately is taken to work on, milliseconds. */
const AT_WORK_MS = 30_000;

/**
 * Refuses an end of a migration that a cluster works on: what it accepts after the reading would be left behind. A file is
 * locked by who works on it, which says more than records of one that was killed.
 * @param nowMs epoch milliseconds, by a clock that agrees with those of the cluster within some seconds
 * @throws CS_CONFLICT with the names of the processes
 */
export async function refuseAtWork(end: StoreEnd, nowMs: number): Promise<void> {
  if (end.engine === "sqlite") return;
  const found: string[] = [];
  for await (const rows of end.read("resources")) {
    for (const row of rows) {
      if (row["kind"] !== MEMBER_KIND) continue;
      const member = readMember(String(row["doc"]));
      // One whose clock is ahead is at work as well.
      if (member !== undefined && nowMs - member.beat_at_ms < AT_WORK_MS) found.push(member.id);
    }
  }
  if (found.length === 0) return;
  const who =
    found.length === 1 ? "1 process of a platform works" : `${found.length} processes of a platform work`;
  const message = `${who} on ${end.place}: stop all of them first; one that was killed counts for ${AT_WORK_MS / 1000} s more`;
  throw new PlatformError("CS_CONFLICT", message, { details: { members: found } });
}
