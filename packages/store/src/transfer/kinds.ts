/** A value of a row; every whole number is within the safe integers. */
export type Value = string | number | null | Uint8Array;

/** One record of a store, the same in every engine. */
export type Row = Readonly<Record<string, Value>>;

/** What a column holds. `document` is JSON text that means the same however it is printed. */
type ColumnType = "text" | "integer" | "document" | "bytes";

export interface KindSpec {
  /** The table of the SQL stores; its columns are those of the rows. */
  table: string;
  columns: Readonly<Record<string, ColumnType>>;
  /** What tells two rows apart. */
  key: readonly string[];
  /** Order in which rows are read and must be written: the key, unless the order of insertion matters. */
  order: readonly string[];
  /** Rows that travel together; of what may be large, few. */
  batch: number;
  /** Fields of the documents that stand in a column as well, in one engine or another. */
  besides?: readonly string[];
}

const NAMED = { tenant: "text", namespace: "text", name: "text" } as const;
const NAME = ["tenant", "namespace", "name"] as const;

/**
 * Everything a store holds, in the order in which it is brought to another: what is named comes before what names it.
 * Not here, as every store makes them itself: what a namespace's keys take, parts of groups, leases, the probe.
 */
export const KINDS = {
  functions: {
    table: "functions",
    columns: { ...NAMED, version_seq: "integer", deleted_at_ms: "integer", doc: "document" },
    key: NAME,
    order: NAME,
    batch: 200,
    besides: ["deleted_at_ms"],
  },
  bundles: {
    table: "bundles",
    columns: { sha256: "text", published: "integer", bytes: "bytes" },
    key: ["sha256"],
    order: ["sha256"],
    batch: 4,
  },
  drafts: {
    table: "drafts",
    columns: {
      ...NAMED,
      draft_id: "text",
      sha256: "text",
      size_bytes: "integer",
      created_at_ms: "integer",
      expires_at_ms: "integer",
      consumed: "integer",
    },
    key: [...NAME, "draft_id"],
    order: [...NAME, "draft_id"],
    batch: 500,
  },
  versions: {
    table: "versions",
    columns: { ...NAMED, version: "integer", doc: "document" },
    key: [...NAME, "version"],
    order: [...NAME, "version"],
    batch: 200,
    besides: ["version"],
  },
  aliases: {
    table: "aliases",
    columns: { ...NAMED, alias: "text", version: "integer", weights: "document", updated_at_ms: "integer" },
    key: [...NAME, "alias"],
    order: [...NAME, "alias"],
    batch: 500,
  },
  secrets: {
    table: "secrets",
    columns: {
      ...NAMED,
      version: "integer",
      key_id: "text",
      sealed: "text",
      created_at_ms: "integer",
      updated_at_ms: "integer",
    },
    key: NAME,
    order: NAME,
    batch: 200,
  },
  tokens: {
    table: "tokens",
    columns: {
      token_id: "text",
      tenant: "text",
      secret_sha256: "text",
      created_at_ms: "integer",
      revoked_at_ms: "integer",
      doc: "document",
    },
    key: ["token_id"],
    order: ["token_id"],
    batch: 500,
    besides: ["revoked_at_ms"],
  },
  kv: {
    table: "kv",
    columns: { tenant: "text", namespace: "text", key: "text", json: "text", expires_at_ms: "integer" },
    key: ["tenant", "namespace", "key"],
    order: ["tenant", "namespace", "key"],
    batch: 50,
  },
  schedules: {
    table: "schedules",
    columns: {
      ...NAMED,
      uid: "text",
      generation: "integer",
      doc: "document",
      tick_seq: "integer",
      next_tick_ms: "integer",
      due_at_ms: "integer",
      inflight: "text",
      catchup_end_seq: "integer",
    },
    key: NAME,
    order: NAME,
    batch: 100,
  },
  resources: {
    table: "resources",
    columns: { kind: "text", ...NAMED, generation: "integer", doc: "text" },
    key: ["kind", ...NAME],
    order: ["kind", ...NAME],
    batch: 100,
  },
  audit: {
    table: "audit_events",
    columns: { tenant: "text", id: "text", at_ms: "integer", doc: "text", end_doc: "text" },
    key: ["tenant", "id"],
    order: ["at_ms", "tenant", "id"],
    batch: 200,
  },
  activations: {
    table: "activations",
    columns: {
      tenant: "text",
      id: "text",
      namespace: "text",
      function: "text",
      status: "text",
      trigger: "text",
      attempt: "integer",
      enqueued_at_ms: "integer",
      doc: "document",
    },
    key: ["tenant", "id"],
    order: ["seq"],
    batch: 100,
  },
  groups: {
    table: "activation_groups",
    columns: { first_ms: "integer", last_ms: "integer", ends: "integer", doc: "text" },
    key: ["first_ms", "last_ms", "ends"],
    order: ["seq"],
    batch: 10,
  },
  logs: {
    table: "logs",
    columns: { tenant: "text", activation_id: "text", at_ms: "integer", lines: "text" },
    key: ["tenant", "activation_id"],
    order: ["tenant", "activation_id", "first"],
    batch: 20,
  },
  journal: {
    table: "journal",
    columns: {
      id: "text",
      topic: "text",
      tenant: "text",
      lane: "text",
      body_json: "text",
      attempt: "integer",
      enqueued_at_ms: "integer",
      due_at_ms: "integer",
      expires_at_ms: "integer",
      dead: "integer",
      dead_reason: "text",
    },
    key: ["id"],
    order: ["seq"],
    batch: 50,
  },
} as const satisfies Record<string, KindSpec>;

export type Kind = keyof typeof KINDS;

/** Every kind, in the order in which they are brought over. */
export const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

/** @returns the rules of a kind, without the types of its own columns */
export const specOf = (kind: Kind): KindSpec => KINDS[kind];

/** @returns what tells a row apart from all others of its kind, as text for a map and for people */
export const keyOf = (kind: Kind, row: Row): string =>
  specOf(kind)
    .key.map((column) => String(row[column]))
    .join("/");
