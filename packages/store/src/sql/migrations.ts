import { type Kysely, type RawBuilder, sql, type SqlBool } from "kysely";
import type { SqlDialect } from "./dialect.ts";
import type { Tables } from "./schema.ts";

/** One step of the schema, compiled. `number` counts from 1 without gaps; a released step never changes. */
export interface Migration {
  number: number;
  name: string;
  statements: string[];
}

/** Every step of the schema for one engine, in order. */
export function compileMigrations(db: Kysely<Tables>, dialect: SqlDialect): Migration[] {
  const types = { ...dialect, text: sql.raw<string>(dialect.text) };
  const steps = [
    { name: "initial", build: [catalogueTables, recordTables, kvAndTokenTables, journalTables] },
    { name: "activation groups", build: [groupTables] },
    { name: "secrets", build: [secretTables] },
    { name: "schedules", build: [scheduleTables] },
    { name: "resources", build: [resourceTables] },
    { name: "audit events", build: [auditTables] },
  ];
  return steps.map((step, index) => ({
    number: index + 1,
    name: step.name,
    statements: step.build.flatMap((build) => build(db, types)).map((query) => query.compile().sql),
  }));
}

/** The names of the engine's types, as kysely takes them. */
type Types = Pick<SqlDialect, "bytes" | "integer" | "sequence"> & { text: RawBuilder<string> };

type Build = (db: Kysely<Tables>, types: Types) => { compile(): { sql: string } }[];

const FUNCTION_KEY = ["tenant", "namespace", "name"] as const;

const catalogueTables: Build = (db, { text, bytes, integer }) => [
  db.schema
    .createTable("functions")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("version_seq", integer, (c) => c.notNull())
    .addColumn("deleted_at_ms", integer)
    .addColumn("doc", text, (c) => c.notNull())
    .addPrimaryKeyConstraint("functions_pk", [...FUNCTION_KEY]),
  db.schema
    .createTable("drafts")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("draft_id", text, (c) => c.notNull())
    .addColumn("sha256", text, (c) => c.notNull())
    .addColumn("size_bytes", integer, (c) => c.notNull())
    .addColumn("created_at_ms", integer, (c) => c.notNull())
    .addColumn("expires_at_ms", integer, (c) => c.notNull())
    .addColumn("consumed", "integer", (c) => c.notNull())
    .addPrimaryKeyConstraint("drafts_pk", [...FUNCTION_KEY, "draft_id"]),
  db.schema.createIndex("drafts_by_expiry").on("drafts").column("expires_at_ms"),
  db.schema.createIndex("drafts_by_bundle").on("drafts").column("sha256"),
  db.schema
    .createTable("bundles")
    .addColumn("sha256", text, (c) => c.notNull().primaryKey())
    .addColumn("published", "integer", (c) => c.notNull())
    .addColumn("bytes", bytes, (c) => c.notNull()),
  db.schema
    .createIndex("bundles_unpublished")
    .on("bundles")
    .column("sha256")
    .where(sql<SqlBool>`published = 0`),
  db.schema
    .createTable("versions")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("version", integer, (c) => c.notNull())
    .addColumn("doc", text, (c) => c.notNull())
    .addPrimaryKeyConstraint("versions_pk", [...FUNCTION_KEY, "version"]),
  db.schema
    .createTable("aliases")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("alias", text, (c) => c.notNull())
    .addColumn("version", integer, (c) => c.notNull())
    .addColumn("weights", text)
    .addColumn("updated_at_ms", integer, (c) => c.notNull())
    .addPrimaryKeyConstraint("aliases_pk", [...FUNCTION_KEY, "alias"]),
];

const recordTables: Build = (db, { text, integer, sequence }) => [
  db.schema
    .createTable("activations")
    .addColumn("seq", sequence, (c) => c.primaryKey())
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("id", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("function", text, (c) => c.notNull())
    .addColumn("status", text, (c) => c.notNull())
    .addColumn("trigger", text, (c) => c.notNull())
    .addColumn("attempt", integer, (c) => c.notNull())
    .addColumn("enqueued_at_ms", integer, (c) => c.notNull())
    .addColumn("doc", text, (c) => c.notNull()),
  db.schema.createIndex("activations_by_id").unique().on("activations").columns(["tenant", "id"]),
  db.schema.createIndex("activations_by_time").on("activations").columns(["tenant", "enqueued_at_ms", "seq"]),
  db.schema
    .createIndex("activations_by_function")
    .on("activations")
    .columns(["tenant", "namespace", "function", "enqueued_at_ms", "seq"]),
  // Partial: a synchronous call is inserted when it has ended and never touches it.
  db.schema
    .createIndex("activations_unfinished")
    .on("activations")
    .columns(["enqueued_at_ms", "seq"])
    .where(sql<SqlBool>`status in ('queued', 'running')`),
  db.schema
    .createTable("logs")
    .addColumn("seq", sequence, (c) => c.primaryKey())
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("activation_id", text, (c) => c.notNull())
    .addColumn("first", integer, (c) => c.notNull())
    .addColumn("count", integer, (c) => c.notNull())
    .addColumn("at_ms", integer, (c) => c.notNull())
    .addColumn("lines", text, (c) => c.notNull()),
  db.schema
    .createIndex("logs_by_activation")
    .unique()
    .on("logs")
    .columns(["tenant", "activation_id", "first"]),
];

const groupTables: Build = (db, { text, integer, sequence }) => [
  db.schema
    .createTable("activation_groups")
    .addColumn("seq", sequence, (c) => c.primaryKey())
    .addColumn("first_ms", integer, (c) => c.notNull())
    .addColumn("last_ms", integer, (c) => c.notNull())
    .addColumn("ends", integer, (c) => c.notNull())
    .addColumn("doc", text, (c) => c.notNull()),
  db.schema.createIndex("activation_groups_by_time").on("activation_groups").column("first_ms"),
  db.schema
    .createTable("activation_group_parts")
    .addColumn("group_seq", integer, (c) => c.notNull())
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("function", text, (c) => c.notNull())
    .addColumn("first_ms", integer, (c) => c.notNull())
    .addColumn("last_ms", integer, (c) => c.notNull())
    .addColumn("failed", integer, (c) => c.notNull())
    .addPrimaryKeyConstraint("activation_group_parts_pk", ["group_seq", "tenant", "namespace", "function"]),
  db.schema
    .createIndex("activation_group_parts_by_time")
    .on("activation_group_parts")
    .columns(["tenant", "last_ms", "group_seq"]),
  db.schema
    .createIndex("activation_group_parts_by_function")
    .on("activation_group_parts")
    .columns(["tenant", "namespace", "function", "last_ms", "group_seq"]),
];

const kvAndTokenTables: Build = (db, { text, integer }) => [
  db.schema
    .createTable("kv")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("key", text, (c) => c.notNull())
    .addColumn("json", text, (c) => c.notNull())
    .addColumn("bytes", integer, (c) => c.notNull())
    .addColumn("expires_at_ms", integer)
    .addPrimaryKeyConstraint("kv_pk", ["tenant", "namespace", "key"]),
  db.schema
    .createIndex("kv_by_expiry")
    .on("kv")
    .column("expires_at_ms")
    .where(sql<SqlBool>`expires_at_ms is not null`),
  db.schema
    .createTable("kv_usage")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("bytes", integer, (c) => c.notNull())
    .addPrimaryKeyConstraint("kv_usage_pk", ["tenant", "namespace"]),
  db.schema
    .createTable("tokens")
    .addColumn("token_id", text, (c) => c.notNull().primaryKey())
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("secret_sha256", text, (c) => c.notNull())
    .addColumn("created_at_ms", integer, (c) => c.notNull())
    .addColumn("revoked_at_ms", integer)
    .addColumn("doc", text, (c) => c.notNull()),
  db.schema.createIndex("tokens_by_time").on("tokens").columns(["tenant", "created_at_ms", "token_id"]),
];

const journalTables: Build = (db, { text, integer, sequence }) => [
  db.schema
    .createTable("journal")
    .addColumn("seq", sequence, (c) => c.primaryKey())
    .addColumn("id", text, (c) => c.notNull().unique())
    .addColumn("topic", text, (c) => c.notNull())
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("lane", text, (c) => c.notNull())
    .addColumn("body_json", text, (c) => c.notNull())
    .addColumn("attempt", integer, (c) => c.notNull())
    .addColumn("enqueued_at_ms", integer, (c) => c.notNull())
    .addColumn("due_at_ms", integer, (c) => c.notNull())
    .addColumn("expires_at_ms", integer, (c) => c.notNull())
    .addColumn("dead", "integer", (c) => c.notNull())
    .addColumn("dead_reason", text),
  db.schema
    .createTable("probe")
    .addColumn("id", "integer", (c) => c.primaryKey())
    .addColumn("at_ms", integer, (c) => c.notNull()),
];

const secretTables: Build = (db, { text, integer }) => [
  db.schema
    .createTable("secrets")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("version", integer, (c) => c.notNull())
    .addColumn("key_id", text, (c) => c.notNull())
    .addColumn("sealed", text, (c) => c.notNull())
    .addColumn("created_at_ms", integer, (c) => c.notNull())
    .addColumn("updated_at_ms", integer, (c) => c.notNull())
    .addPrimaryKeyConstraint("secrets_pk", [...FUNCTION_KEY]),
];

const scheduleTables: Build = (db, { text, integer }) => [
  db.schema
    .createTable("schedules")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("uid", text, (c) => c.notNull())
    .addColumn("generation", integer, (c) => c.notNull())
    .addColumn("doc", text, (c) => c.notNull())
    .addColumn("tick_seq", integer, (c) => c.notNull())
    .addColumn("next_tick_ms", integer)
    .addColumn("due_at_ms", integer)
    .addColumn("inflight", text)
    .addColumn("catchup_end_seq", integer)
    .addPrimaryKeyConstraint("schedules_pk", [...FUNCTION_KEY]),
  db.schema
    .createIndex("schedules_by_due")
    .on("schedules")
    .columns(["due_at_ms", "uid"])
    .where(sql<SqlBool>`due_at_ms is not null`),
  db.schema
    .createTable("leases")
    .addColumn("name", text, (c) => c.notNull().primaryKey())
    .addColumn("holder", text, (c) => c.notNull())
    .addColumn("epoch", integer, (c) => c.notNull())
    .addColumn("until_ms", integer, (c) => c.notNull()),
];

const resourceTables: Build = (db, { text, integer }) => [
  db.schema
    .createTable("resources")
    .addColumn("kind", text, (c) => c.notNull())
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("namespace", text, (c) => c.notNull())
    .addColumn("name", text, (c) => c.notNull())
    .addColumn("generation", integer, (c) => c.notNull())
    .addColumn("doc", text, (c) => c.notNull())
    .addPrimaryKeyConstraint("resources_pk", ["kind", ...FUNCTION_KEY]),
];

const auditTables: Build = (db, { text, integer }) => [
  db.schema
    .createTable("audit_events")
    .addColumn("tenant", text, (c) => c.notNull())
    .addColumn("id", text, (c) => c.notNull())
    .addColumn("at_ms", integer, (c) => c.notNull())
    .addColumn("doc", text, (c) => c.notNull())
    .addColumn("end_doc", text)
    .addPrimaryKeyConstraint("audit_events_pk", ["tenant", "id"]),
  db.schema.createIndex("audit_events_by_time").on("audit_events").columns(["tenant", "at_ms", "id"]),
  db.schema.createIndex("audit_events_by_age").on("audit_events").column("at_ms"),
];
