import { randomUUID } from "node:crypto";
import { availableParallelism, hostname } from "node:os";
import { TOPICS } from "@sous/contract";
import {
  type ClusterMember,
  type Introduction,
  openClusterMember,
  type Worker,
} from "../members/cluster-member.ts";
import { createRoleCount } from "../members/count-role.ts";
import { createPlacement, type Placement } from "../members/create-placement.ts";
import { hashText } from "../members/hash-text.ts";
import { bundleDigest, DIGESTS_MAX, packDigests } from "../members/member-record.ts";
import { type Member, type Membership, topicOfMember } from "../members/membership.ts";
import type { Role } from "../config/role.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Execution } from "./execution.ts";
import { isEmbedded } from "./open-codeq.ts";
import type { Core } from "./open-core.ts";
import type { ProcessContext } from "./process-context.ts";

const VERSION = "0.1.0";

/** What a process knows of the others of its platform. */
export interface Members extends AsyncDisposable {
  /** Its own name, for records; absent where nobody else could have run anything. */
  readonly id: string | undefined;
  /** Who runs synchronous calls; absent where nobody else could. */
  readonly placement: Placement | undefined;
  membership(): Membership;
  /** @returns what gives the number of processes with a role, this one among them */
  sharers(role: Role): () => number;
  /** Topics of members, as far as they are known. */
  topics(): string[];
  /** Becomes one of them, under an address. */
  join(url: string, execution: Execution | undefined): Promise<void>;
  /** Says that it takes no more work. */
  leave(): Promise<void>;
}

/**
 * Opens what a process knows of the others: from the store, where they share a queue. With a queue of its own it is
 * the whole platform, keeps no record of itself, and calls take the shortest way.
 */
export async function openMembers(context: ProcessContext, core: Core): Promise<Members> {
  const { config, metrics } = context;
  const id = `m-${randomUUID().replaceAll("-", "").slice(0, 12)}`;
  const members = isEmbedded(config.codeq) ? createLone(context, id) : await openShared(context, core, id);
  metrics.gauge("cs_cluster_members", "Processes of the cluster by what is known of them", ["state"], () => {
    const counts = { live: 0, late: 0, lost: 0, draining: 0 };
    for (const { state } of members.membership().members) counts[state]++;
    return Object.entries(counts).map(([state, value]) => ({ labels: { state }, value }));
  });
  return members;
}

/** A whole platform in one process. */
function createLone({ roles, limits, now }: ProcessContext, id: string): Members {
  const startedMs = now();
  let address = "";
  let execution: Execution | undefined;
  let draining = false;

  function self(): Member {
    const { running, waiting } = loadOf(execution);
    return {
      id,
      roles: [...roles],
      address,
      version: VERSION,
      startedMs,
      state: draining ? "draining" : "live",
      draining,
      seenMs: now(),
      generation: 1,
      capacity: execution === undefined ? 0 : limits.inflightMax,
      cpus: availableParallelism(),
      running,
      waiting,
      warm: new Set(execution?.fleet.warmPrograms(DIGESTS_MAX).map(hashText)),
      cached: new Set(execution?.bundles.held(DIGESTS_MAX).map(bundleDigest)),
    };
  }

  return {
    id: undefined,
    placement: undefined,
    membership: () => ({ revision: 1, members: [self()], readMs: undefined }),
    sharers: () => () => 1,
    topics: () => [],
    async join(url, worker) {
      address = addressOf(url);
      execution = worker;
    },
    async leave() {
      draining = true;
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function openShared(context: ProcessContext, core: Core, id: string): Promise<Members> {
  const { config, roles, limits, metrics, now, onFault } = context;
  const member = await openClusterMember({
    id,
    resources: core.store.resources,
    topic: TOPICS.invoke,
    depth: (topic) => core.codeq.depth(topic),
    heartbeatMs: config.cluster.heartbeat_ms,
    now,
    random: Math.random,
    onFault,
  });
  observe(metrics, member);
  const startedMs = now();
  return {
    id,
    placement: config.cluster.placement === "any" ? undefined : placementOf(context, member),
    membership: member.membership,
    sharers: (role) => createRoleCount(member.membership, id, role),
    topics: () =>
      member
        .membership()
        .members.filter(({ capacity }) => capacity > 0)
        .map((one) => topicOfMember(TOPICS.invoke, one.id)),
    async join(url, execution) {
      const self: Introduction = {
        roles: [...roles],
        address: addressOf(url),
        version: VERSION,
        started_at_ms: startedMs,
        capacity: execution === undefined ? 0 : limits.inflightMax,
        cpus: availableParallelism(),
      };
      await member.join(self, execution === undefined ? undefined : workerOf(execution));
    },
    leave: () => member.leave(),
    [Symbol.asyncDispose]: () => member[Symbol.asyncDispose](),
  };
}

function placementOf({ metrics, now }: ProcessContext, member: ClusterMember): Placement {
  const decisions = metrics.counter(
    "cs_placement_total",
    "Synchronous calls by where they were sent, and why",
    ["decision"],
  );
  const takenBack = metrics
    .counter(
      "cs_placement_taken_back_total",
      "Calls that a member did not begin in time, given to others",
      [],
    )
    .child({});
  return createPlacement({
    membership: member.membership,
    topic: TOPICS.invoke,
    now,
    onDecision: (decision) => void (decisions.child({ decision }).value += 1),
    onTakenBack: () => void (takenBack.value += 1),
  });
}

function workerOf(execution: Execution): Worker {
  const { invoker, fleet, bundles } = execution;
  return {
    consume: (topic) => invoker.consume(topic),
    report: () => ({
      ...loadOf(execution),
      warm: packDigests(fleet.warmPrograms(DIGESTS_MAX).map(hashText)),
      cached: packDigests(bundles.held(DIGESTS_MAX).map(bundleDigest)),
    }),
  };
}

function loadOf(execution: Execution | undefined): { running: number; waiting: number } {
  if (execution === undefined) return { running: 0, waiting: 0 };
  const running = execution.fleet.stats().active;
  return { running, waiting: Math.max(0, execution.invoker.inflight - running) };
}

function observe(metrics: Metrics, member: ClusterMember): void {
  metrics.gauge("cs_cluster_members_unreadable", "Members whose record this release cannot read", [], () => [
    { labels: {}, value: member.unreadable() },
  ]);
  metrics.gauge("cs_cluster_topics_adopted", "Topics of members that are gone, emptied here", [], () => [
    { labels: {}, value: member.adopted().length },
  ]);
}

/** Where others find it: the name of the machine where it listens on every address. */
function addressOf(url: string): string {
  const { protocol, hostname: host, port } = new URL(url);
  const isWildcard = host === "0.0.0.0" || host === "[::]";
  return `${protocol}//${isWildcard ? hostname() : host}${port === "" ? "" : `:${port}`}`;
}
