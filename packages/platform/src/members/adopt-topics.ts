import type { LaneDepth } from "@sous/codeq";
import type { ResourceStore } from "@sous/store";
import { memberKey } from "./announce-member.ts";
import { hashText } from "./hash-text.ts";
import { MEMBER_KIND } from "./member-record.ts";
import { type Member, takesCalls, topicOfMember } from "./membership.ts";
import { firstByAffinity } from "./rank-members.ts";
import type { MemberWatch } from "./watch-members.ts";

/** Topics of others that one invoker empties at a time; the others wait their turn. */
const ADOPTED_MAX = 32;

export interface AdoptionOptions {
  /** This invoker's. */
  id: string;
  /** The topic everybody consumes; a member's own is named after it. */
  topic: string;
  watch: Pick<MemberWatch, "current" | "onChange">;
  /** Takes work from a topic. @returns what stops it */
  consume: (topic: string) => Promise<() => Promise<void>>;
  depth: (topic: string) => Promise<LaneDepth[]>;
  resources: Pick<ResourceStore, "delete">;
  /** Pause between two looks, milliseconds. */
  intervalMs: number;
  /** Hears of the beginning of each outage. */
  onFault: (error: unknown) => void;
}

/** What others left behind, taken care of by this invoker. */
export interface Adoption extends AsyncDisposable {
  /** Topics it empties now. */
  readonly topics: readonly string[];
}

/**
 * Empties the topics of members that are lost or leave, each of them by one invoker: callers take back what they wait
 * for, this is for what nobody waits for any more. Of a lost member it also removes the record, when nothing is left
 * in its topic, not even a claim.
 */
export function adoptTopics(options: AdoptionOptions): Adoption {
  const { id, topic, watch, consume, depth, resources, intervalMs, onFault } = options;
  const adopted = new Map<string, () => Promise<void>>();
  let looking: Promise<void> | undefined;
  let again = false;
  let failing = false;
  let closed = false;

  /**
   * The invoker that takes care of a member: everybody who sees the same members names the same one. This one counts whether it is
   * among them or not: where records of members that are gone leave no room for its own, it has to remove them first.
   */
  function isHeir(of: Member, members: readonly Member[]): boolean {
    const others = members.filter((member) => member.id !== of.id && member.id !== id && takesCalls(member));
    const heirs = [id, ...others.map((member) => member.id)].map((heir) => ({
      id: heir,
      hash: hashText(heir),
    }));
    return firstByAffinity(hashText(of.id), heirs, 1)[0]?.id === id;
  }

  async function look(): Promise<void> {
    const { members } = watch.current();
    const mine = members.filter((member) => isLeaving(member) && member.id !== id && isHeir(member, members));
    const topics = new Set(
      mine
        .filter(({ capacity }) => capacity > 0)
        .slice(0, ADOPTED_MAX)
        .map((member) => topicOfMember(topic, member.id)),
    );
    for (const [name, stop] of adopted) {
      if (topics.has(name)) continue;
      adopted.delete(name);
      await stop();
    }
    for (const name of topics) {
      if (closed || adopted.has(name)) continue;
      adopted.set(name, await consume(name));
    }
    for (const member of mine) if (member.state === "lost" && !closed) await clear(member);
  }

  async function clear({ id: of, capacity, generation }: Member): Promise<void> {
    const name = topicOfMember(topic, of);
    if (capacity > 0 && (!adopted.has(name) || (await depth(name)).some(isUsed))) return;
    // One that beats again meanwhile keeps its record.
    await resources.delete(MEMBER_KIND, memberKey(of), generation);
  }

  function start(): void {
    if (closed) return;
    if (looking !== undefined) {
      again = true;
      return;
    }
    looking = look()
      .then(
        () => void (failing = false),
        (error: unknown) => {
          if (!failing && !closed) onFault(error);
          failing = true;
        },
      )
      .finally(() => {
        looking = undefined;
        if (!again) return;
        again = false;
        start();
      });
  }

  const stop = watch.onChange(start);
  const timer = setInterval(() => {
    if (watch.current().members.some(isLeaving)) start();
  }, intervalMs);
  timer.unref();
  return {
    get topics() {
      return [...adopted.keys()];
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      stop();
      clearInterval(timer);
      await looking;
      await Promise.all([...adopted.values()].map((end) => end()));
      adopted.clear();
    },
  };
}

const isLeaving = ({ state, draining }: Member): boolean => state === "lost" || draining;

const isUsed = ({ ready, delayed, claimed }: LaneDepth): boolean => ready + delayed + claimed > 0;
