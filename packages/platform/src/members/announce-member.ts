import { PlatformError } from "@sous/contract";
import type { FunctionKey, ResourceStore } from "@sous/store";
import { MEMBER_KIND, type MemberRecord, MEMBERS_MAX } from "./member-record.ts";

/** Heartbeats after which the last one that was written is no longer of late: the next may be slow. */
const BEATS_OF_LATE = 2;

/** What a member says of itself anew with each heartbeat. */
export type MemberReport = Pick<MemberRecord, "running" | "waiting" | "warm" | "cached">;

export interface AnnounceOptions {
  resources: Pick<ResourceStore, "create" | "get" | "replace" | "delete">;
  /** What stays the same while the process lives. */
  self: Pick<MemberRecord, "id" | "roles" | "address" | "version" | "started_at_ms" | "capacity" | "cpus">;
  report: () => MemberReport;
  /** Pause between two heartbeats, milliseconds. */
  heartbeatMs: number;
  /** Epoch milliseconds. */
  now: () => number;
  /** From 0 to 1: spreads the heartbeats of many processes. */
  random: () => number;
  /** Hears of the beginning of each outage. */
  onFault: (error: unknown) => void;
}

/** Tells the cluster that this process lives, until it is disposed of. */
export interface Announcement extends AsyncDisposable {
  /** Whether the store took a heartbeat lately, and refused none since. */
  canBeat(): boolean;
  /** Says that it takes no more work, now and with each heartbeat from now on. Settles when it was tried. */
  drain(): Promise<void>;
  /** Takes the announcement back, so that nobody has to find out; best when nothing is left for this member. */
  withdraw(): Promise<void>;
}

/** Members belong to no tenant; their names are told apart from those of functions by their kind. */
export const memberKey = (id: string): FunctionKey => ({
  tenant: "t_cluster",
  namespace: "members",
  name: id,
});

/** Announces a member and beats until it ends. Settles when the first beat was tried: a store that is away is no reason not to start. */
export async function announceMember(options: AnnounceOptions): Promise<Announcement> {
  const { resources, self, report, heartbeatMs, now, random, onFault } = options;
  const key = memberKey(self.id);
  /** That of the record in the store; `undefined` when there may be none. */
  let generation: number | undefined;
  let draining = false;
  let closed = false;
  let failing = false;
  /** When the last heartbeat was written; none was yet. */
  let writtenMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> | undefined;

  const print = (): string => {
    const record: MemberRecord = {
      schema: "cs.member.v1",
      ...self,
      beat_at_ms: now(),
      draining,
      ...report(),
    };
    return JSON.stringify(record);
  };

  async function write(): Promise<void> {
    if (generation === undefined) {
      try {
        await resources.create(MEMBER_KIND, key, print(), MEMBERS_MAX);
        generation = 1;
        return;
      } catch (error) {
        const found = isConflict(error) ? await resources.get(MEMBER_KIND, key) : undefined;
        if (found === undefined) throw error;
        // Only its answer was lost.
        generation = found.generation;
      }
    }
    if (await resources.replace(MEMBER_KIND, key, generation, print())) {
      generation++;
      return;
    }
    // An answer was lost, or somebody took this process for gone: the next beat knows better.
    generation = (await resources.get(MEMBER_KIND, key))?.generation;
    if (generation === undefined) await write();
  }

  async function tryWrite(): Promise<void> {
    try {
      await write();
      failing = false;
      writtenMs = now();
    } catch (error) {
      if (!failing && !closed) onFault(error);
      failing = true;
    }
  }

  function beat(): Promise<void> {
    beating = (beating ?? Promise.resolve()).then(tryWrite);
    return beating;
  }

  function again(): void {
    if (closed) return;
    timer = setTimeout(() => void beat().then(again), heartbeatMs * (0.8 + 0.4 * random()));
    timer.unref();
  }

  async function end(): Promise<void> {
    closed = true;
    clearTimeout(timer);
    await beating;
  }

  await beat();
  again();
  return {
    canBeat: () => !failing && now() - writtenMs <= BEATS_OF_LATE * heartbeatMs,
    async drain() {
      draining = true;
      if (!closed) await beat();
    },
    async withdraw() {
      await end();
      await resources.delete(MEMBER_KIND, key).catch(onFault);
    },
    [Symbol.asyncDispose]: end,
  };
}

const isConflict = (error: unknown): boolean =>
  error instanceof PlatformError && error.code === "CS_CONFLICT";
