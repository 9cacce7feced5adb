import { setImmediate as nextTurn } from "node:timers/promises";
import type { ActivationRecord } from "@sous/contract";
import { checkLimit, decodeCursor, encodeCursor } from "../cursor.ts";
import type { ActivationFilter, ActivationStore, LogStore, Page, PageRequest } from "../store.ts";
import type { Access } from "./access.ts";
import type { Commands } from "./commands.ts";
import { parseStored } from "./reader.ts";

/** Rows a filtered list looks at before it lets others have the main thread: about a millisecond. */
const STRETCH_ROWS = 1000;

/** Before the first row of the time index, and after its last. */
const NEWEST = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as [number, number];

/** Activation records in SQLite. */
export function createActivationStore(access: Access): ActivationStore {
  const { reader, writer, statements } = access;
  const sql = statements.activations;
  const insert = (name: "activationCreate" | "activationFinish", record: ActivationRecord) =>
    writer.write(name, ...valuesOf(record));
  return {
    create: (record) => insert("activationCreate", record) as Promise<void>,
    finish: (record) => insert("activationFinish", record) as Promise<boolean>,
    async finishMany(records) {
      await writer.write("activationFinishMany", ...records.flatMap(valuesOf));
    },
    update: (record) =>
      writer.write(
        "activationUpdate",
        record.tenant,
        record.activation_id,
        record.status,
        record.attempt,
        JSON.stringify(record),
      ),
    async get(tenant, id) {
      const row = reader.get(sql.get, { tenant, id });
      return row && parseStored<ActivationRecord>(row.doc);
    },
    list: (filter, page) => listActivations(access, filter, page),
    async unfinished(limit) {
      return reader.all(sql.unfinished, { limit }).map((row) => parseStored<ActivationRecord>(row.doc));
    },
  };
}

type ActivationValues = Parameters<Commands["activationFinish"]>;

const valuesOf = (record: ActivationRecord): ActivationValues => [
  record.tenant,
  record.activation_id,
  record.namespace,
  record.function,
  record.status,
  record.trigger.type,
  record.attempt,
  record.enqueued_at_ms,
  JSON.stringify(record),
];

interface ActivationListRow {
  enqueued_at_ms: number;
  seq: number;
  doc: string;
}

/**
 * Reads one page, newest first. A filter that no index serves is applied row by row, a stretch at a time with
 * turns for others in between, so that a rare status in a long history never holds up the main thread.
 */
async function listActivations(
  access: Access,
  filter: ActivationFilter,
  page: PageRequest,
): Promise<Page<ActivationRecord>> {
  checkLimit(page);
  let [beforeMs, beforeSeq] = decodeCursor(page, NEWEST);
  const walk = walkOf(access, filter);
  const rows: ActivationListRow[] = [];
  const floor = { floorMs: filter.sinceMs ?? 0, floorSeq: 0 };
  for (;;) {
    const rest = { beforeMs, beforeSeq, ...floor };
    const edge = walk.exact ? undefined : walk.edge({ ...rest, length: STRETCH_ROWS - 1 });
    const stretch = edge === undefined ? rest : { ...rest, floorMs: edge.enqueued_at_ms, floorSeq: edge.seq };
    rows.push(...walk.page({ ...stretch, limit: page.limit + 1 - rows.length }));
    if (edge === undefined || rows.length > page.limit) break;
    [beforeMs, beforeSeq] = [edge.enqueued_at_ms, edge.seq];
    await nextTurn();
  }
  const last = rows.length > page.limit ? rows[page.limit - 1] : undefined;
  return {
    items: rows.slice(0, page.limit).map((row) => parseStored<ActivationRecord>(row.doc)),
    next_cursor: last === undefined ? null : encodeCursor([last.enqueued_at_ms, last.seq]),
  };
}

interface Stretch {
  beforeMs: number;
  beforeSeq: number;
  floorMs: number;
  floorSeq: number;
}

interface Walk {
  /** Whether every row of the index belongs to the answer. */
  exact: boolean;
  edge(at: Stretch & { length: number }): { enqueued_at_ms: number; seq: number } | undefined;
  page(at: Stretch & { limit: number }): ActivationListRow[];
}

/** Chooses the index: one function's when the filter names it, else the tenant's. */
function walkOf({ reader, statements }: Access, filter: ActivationFilter): Walk {
  const sql = statements.activations;
  const { tenant, namespace = null, function: name = null, status = null, trigger = null } = filter;
  if (namespace !== null && name !== null) {
    const path = { tenant, namespace, function: name };
    return {
      exact: status === null && trigger === null,
      edge: (at) => reader.get(sql.edgeOfFunction, { ...path, ...at }),
      page: (at) => reader.all(sql.pageOfFunction, { ...path, status, trigger, ...at }),
    };
  }
  const residual = { namespace, function: name, status, trigger };
  return {
    exact: Object.values(residual).every((value) => value === null),
    edge: (at) => reader.get(sql.edgeOfTenant, { tenant, ...at }),
    page: (at) => reader.all(sql.pageOfTenant, { tenant, ...residual, ...at }),
  };
}

/** Logs of activations in SQLite. */
export function createLogStore({ reader, writer, statements, now }: Access): LogStore {
  return {
    append(tenant, activationId, chunks) {
      if (chunks.length === 0) return Promise.resolve();
      return writer.write("logsAppend", tenant, activationId, chunks.length, JSON.stringify(chunks), now());
    },
    async read(tenant, activationId, from, limit) {
      if (limit <= 0) return [];
      const chunks: string[] = [];
      for (const row of reader.all(statements.logs.read, { tenant, activationId, from, limit })) {
        const lines = parseStored<string[]>(row.lines);
        chunks.push(...lines.slice(Math.max(0, from - row.first), from + limit - row.first));
      }
      return chunks;
    },
  };
}
