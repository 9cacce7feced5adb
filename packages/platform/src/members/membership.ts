/**
 * What is known of a member: `live`; `late`: it missed a few heartbeats; `lost`: so many that it counts as gone;
 * `draining`: it said that it takes no more work.
 */
export type MemberState = "live" | "late" | "lost" | "draining";

/** A process of the cluster as it was last seen. */
export interface Member {
  readonly id: string;
  readonly roles: readonly string[];
  readonly address: string;
  readonly version: string;
  readonly startedMs: number;
  readonly state: MemberState;
  /** Whether it said that it takes no more work, whatever its state. */
  readonly draining: boolean;
  /** When it was last heard of, epoch milliseconds. */
  readonly seenMs: number;
  /** Grows with each heartbeat. */
  readonly generation: number;
  /** Activations it takes at once; 0 for a process that runs none. */
  readonly capacity: number;
  readonly cpus: number;
  readonly running: number;
  readonly waiting: number;
  /** Digests of versions with an isolate ready: `hashText` of the program's key. */
  readonly warm: ReadonlySet<number>;
  /** Digests of bundles in its cache: `bundleDigest`. */
  readonly cached: ReadonlySet<number>;
}

/** The members a process knows of. While the store cannot be read it stays as it is. */
export interface Membership {
  /** Grows with every change. */
  readonly revision: number;
  /** By id, ascending. */
  readonly members: readonly Member[];
  /** When it was last read, epoch milliseconds; `undefined` before the first time. */
  readonly readMs: number | undefined;
}

/** The membership before it was ever read. */
export const NO_MEMBERS: Membership = { revision: 0, members: [], readMs: undefined };

/** Where a member takes the calls that are meant for it. */
export const topicOfMember = (invokeTopic: string, id: string): string => `${invokeTopic}.${id}`;

/** @returns whether calls may be sent to it */
export const takesCalls = ({ state, capacity }: Member): boolean => state === "live" && capacity > 0;
