import { type ClusterMember, ClusterMembersReply, DEFAULT_TENANT, LIMITS, PageQuery } from "@sous/contract";
import { authorize } from "../auth/authorize.ts";
import type { Member } from "../members/membership.ts";
import { answers } from "./answers.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";

/** What operators ask of the cluster: who is there, and how they are. */
export function registerClusterRoutes(app: ControlApp, { membership, clock }: ControlContext): void {
  app.get(
    "/v1/cluster/members",
    {
      config: { action: "cs:cluster:read" },
      schema: {
        tags: ["cluster"],
        summary: "List the processes of the cluster, as this one last heard of them",
        querystring: PageQuery,
        response: answers({ 200: ClusterMembersReply }),
      },
    },
    async ({ query, identity }) => {
      // The platform is nobody's but its operator's, whose tenant is that of the first token.
      authorize(identity, "cs:cluster:read", DEFAULT_TENANT);
      const { limit = LIMITS.pageSizeDefault, cursor = "" } = query;
      const { members, readMs } = membership();
      const rest = members.filter(({ id }) => id > cursor);
      const items = rest.slice(0, limit).map(describe);
      const next_cursor = rest.length > limit ? (items.at(-1)?.id ?? null) : null;
      return { items, next_cursor, read_at_ms: readMs ?? null, now_ms: clock() };
    },
  );
}

function describe(member: Member): ClusterMember {
  const { id, address, version, state, capacity, cpus, running, waiting, warm, cached } = member;
  return {
    id,
    roles: [...member.roles],
    address,
    version,
    state,
    started_at_ms: member.startedMs,
    seen_at_ms: member.seenMs,
    capacity,
    cpus,
    running,
    waiting,
    warm_versions: warm.size,
    cached_bundles: cached.size,
  };
}
