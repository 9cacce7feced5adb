import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0 });

/** `late`: it missed some heartbeats; `lost`: so many that it counts as gone; `draining`: it takes no more work. */
export const MEMBER_STATES = ["live", "late", "lost", "draining"] as const;

/** A process of the cluster, as the answering one last heard of it. */
export const ClusterMember = Type.Object(
  {
    /** Of this start of the process; the next one has another. */
    id: Type.String(),
    roles: Type.Array(Type.String()),
    /** Where it answers over HTTP; empty where it does not. */
    address: Type.String(),
    version: Type.String(),
    state: Type.Enum([...MEMBER_STATES]),
    started_at_ms: Count,
    /** When it was last heard of. */
    seen_at_ms: Count,
    /** Activations it takes at once; 0 for a process that runs none. */
    capacity: Count,
    /** Processors it may use. */
    cpus: Count,
    running: Count,
    /** Taken, and not started yet. */
    waiting: Count,
    /** Versions with an isolate ready, as many as it tells of. */
    warm_versions: Count,
    /** Bundles in its cache, as many as it tells of. */
    cached_bundles: Count,
  },
  closed,
);
export type ClusterMember = Static<typeof ClusterMember>;

/** Answer of `GET /v1/cluster/members`: a page by id, when the answering process last read the membership, and its clock. */
export const ClusterMembersReply = Type.Object(
  {
    items: Type.Array(ClusterMember),
    next_cursor: Type.Union([Type.String(), Type.Null()]),
    /** While its store is away this stays behind; null where it reads none. */
    read_at_ms: Type.Union([Count, Type.Null()]),
    now_ms: Count,
  },
  closed,
);
export type ClusterMembersReply = Static<typeof ClusterMembersReply>;
