import type { LaneDepth } from "@sous/codeq";
import type { ResourceStore } from "@sous/store";
import { adoptTopics, type Adoption } from "./adopt-topics.ts";
import { announceMember, type Announcement, type MemberReport } from "./announce-member.ts";
import type { MemberRecord } from "./member-record.ts";
import { type Membership, topicOfMember } from "./membership.ts";
import { createMemberWatch, type MemberWatch } from "./watch-members.ts";

export interface ClusterMemberOptions {
  id: string;
  resources: ResourceStore;
  /** The topic every invoker consumes; a member's own is named after it. */
  topic: string;
  depth: (topic: string) => Promise<LaneDepth[]>;
  /** Pause between two heartbeats, and between two readings, milliseconds. */
  heartbeatMs: number;
  now: () => number;
  random: () => number;
  onFault: (error: unknown) => void;
}

/** What a process says of itself when it joins. */
export type Introduction = Omit<
  MemberRecord,
  keyof MemberReport | "schema" | "id" | "beat_at_ms" | "draining"
>;

/** The part of an invoker that the cluster needs; a process that runs nothing has none. */
export interface Worker {
  report: () => MemberReport;
  /** Takes work from a topic. @returns what stops it */
  consume: (topic: string) => Promise<() => Promise<void>>;
}

/** This process as one of the cluster: it knows the others, says that it lives, and takes over what others leave. */
export interface ClusterMember extends AsyncDisposable {
  readonly id: string;
  membership(): Membership;
  /** How many members have a record that this release cannot read. */
  unreadable(): number;
  /** Topics of others that are emptied here. */
  adopted(): readonly string[];
  /** Joins: takes calls that are sent to it, and says so. Settles when it was tried; the store need not answer. */
  join(self: Introduction, worker: Worker | undefined): Promise<void>;
  /** Says that it takes no more work, and leaves to others what others left. */
  leave(): Promise<void>;
}

const NO_WORK: MemberReport = { running: 0, waiting: 0, warm: "", cached: "" };

/** Opens the membership of a process. States: watching → joined → leaving → gone. */
export async function openClusterMember(options: ClusterMemberOptions): Promise<ClusterMember> {
  const { id, resources, topic, depth, heartbeatMs, now, random, onFault } = options;
  const common = { resources, heartbeatMs, now, random, onFault };
  let announcement: Announcement | undefined;
  const canBeat = (): boolean => announcement?.canBeat() ?? true;
  const watch: MemberWatch = createMemberWatch({ ...common, canBeat });
  let adoption: Adoption | undefined;
  let leaving = false;

  async function leave(): Promise<void> {
    leaving = true;
    await Promise.allSettled([announcement?.drain(), adoption?.[Symbol.asyncDispose]()]);
  }

  /** Of a member whose topic is not empty others have to know. */
  async function isEmpty(): Promise<boolean> {
    const lanes = await depth(topicOfMember(topic, id)).catch(() => undefined);
    return lanes?.every(({ ready, delayed, claimed }) => ready + delayed + claimed === 0) ?? false;
  }

  await watch.look();
  return {
    id,
    membership: () => watch.current(),
    unreadable: () => watch.unreadable(),
    adopted: () => adoption?.topics ?? [],
    async join(self, worker) {
      if (worker !== undefined) {
        await worker.consume(topicOfMember(topic, id));
        const { consume } = worker;
        adoption = adoptTopics({
          id,
          topic,
          watch,
          consume,
          depth,
          resources,
          intervalMs: heartbeatMs,
          onFault,
        });
      }
      announcement = await announceMember({
        ...common,
        self: { id, ...self },
        report: worker?.report ?? (() => NO_WORK),
      });
      if (leaving) await leave();
      await watch.look();
    },
    leave,
    async [Symbol.asyncDispose]() {
      await adoption?.[Symbol.asyncDispose]();
      await watch[Symbol.asyncDispose]();
      if (announcement === undefined) return;
      if (await isEmpty()) await announcement.withdraw();
      else await announcement[Symbol.asyncDispose]();
    },
  };
}
