import { setImmediate as nextTurn } from "node:timers/promises";
import type { ActivationRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../../cursor.ts";
import { NEWEST, type Place, type Placed, walkEnds } from "../../ended-walk.ts";
import type { ActivationFilter, ActivationStore, LogStore, Page, PageRequest } from "../../store.ts";
import type { Access, MaybePromise } from "./access.ts";
import type { Commands } from "../commands/commands.ts";
import { findEnd, groupSource } from "./group-reader.ts";
import { parseStored } from "../../stored.ts";

/** Rows a filtered list looks at before it lets others have the main thread: about a millisecond. */
const STRETCH_ROWS = 1000;

/** Activation records in an SQL database. */
export function createActivationStore(access: Access): ActivationStore {
  const { reader, writer, statements } = access;
  const sql = statements.activations;
  const insert = (name: "activationCreate" | "activationFinish", record: ActivationRecord) =>
    writer.write(name, ...valuesOf(record));
  return {
    create: (record) => insert("activationCreate", record) as Promise<void>,
    finish: (record) => insert("activationFinish", record) as Promise<boolean>,
    async append(group) {
      if (group.size === 0) return;
      const { firstMs, lastMs } = group.span;
      const parts = group.parts.flatMap((part) => [
        part.tenant,
        part.namespace,
        part.function,
        part.firstMs,
        part.lastMs,
        part.failed,
      ]);
      await writer.write("activationsAppend", firstMs, lastMs, group.size, group.toText(), ...parts);
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
      const row = await reader.get(sql.get, { tenant, id });
      if (row !== undefined) return parseStored<ActivationRecord>(row.doc);
      return (await findEnd(access, tenant, id))?.record;
    },
    list: (filter, page) => listActivations(access, filter, page),
    async unfinished(limit) {
      const rows = await reader.all(sql.unfinished, { limit });
      return rows.map((row) => parseStored<ActivationRecord>(row.doc));
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
  const first = decodeCursor(page, NEWEST);
  let [beforeMs, beforeSeq] = first;
  const walk = walkOf(access, filter);
  const rows: ActivationListRow[] = [];
  const floor = { floorMs: filter.sinceMs ?? 0, floorSeq: 0 };
  for (;;) {
    const rest = { beforeMs, beforeSeq, ...floor };
    const edge = walk.exact ? undefined : await walk.edge({ ...rest, length: STRETCH_ROWS - 1 });
    const stretch = edge === undefined ? rest : { ...rest, floorMs: edge.enqueued_at_ms, floorSeq: edge.seq };
    rows.push(...(await walk.page({ ...stretch, limit: page.limit + 1 - rows.length })));
    if (edge === undefined || rows.length > page.limit) break;
    [beforeMs, beforeSeq] = [edge.enqueued_at_ms, edge.seq];
    await nextTurn();
  }
  const ends = await endsBelow(access, filter, first, page.limit + 1);
  const both = [...rows, ...ends].toSorted((a, b) => b.enqueued_at_ms - a.enqueued_at_ms || b.seq - a.seq);
  return pageOf(
    both,
    page.limit,
    (item) => ("record" in item ? item.record : parseStored<ActivationRecord>(item.doc)),
    ({ enqueued_at_ms, seq }) => [enqueued_at_ms, seq],
  );
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
  edge(at: Stretch & { length: number }): MaybePromise<{ enqueued_at_ms: number; seq: number } | undefined>;
  page(at: Stretch & { limit: number }): MaybePromise<ActivationListRow[]>;
}

/** Up to `count` ends of groups from below a place on. */
async function endsBelow(
  access: Access,
  filter: ActivationFilter,
  place: Place,
  count: number,
): Promise<Placed[]> {
  const ends: Placed[] = [];
  for await (const end of walkEnds(groupSource(access), filter, place)) {
    ends.push(end);
    if (ends.length >= count) break;
  }
  return ends;
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

/** Logs of activations in an SQL database. */
export function createLogStore(access: Access): LogStore {
  const { reader, writer, statements, now } = access;
  return {
    append(tenant, activationId, chunks) {
      if (chunks.length === 0) return Promise.resolve();
      return writer.write("logsAppend", tenant, activationId, chunks.length, JSON.stringify(chunks), now());
    },
    async read(tenant, activationId, from, limit) {
      if (limit <= 0) return [];
      const chunks: string[] = [];
      const rows = await reader.all(statements.logs.read, { tenant, activationId, from, limit });
      if (rows.length === 0) {
        const end = await findEnd(access, tenant, activationId);
        return end?.lines.slice(from, from + limit) ?? [];
      }
      for (const row of rows) {
        const lines = parseStored<string[]>(row.lines);
        chunks.push(...lines.slice(Math.max(0, from - row.first), from + limit - row.first));
      }
      return chunks;
    },
  };
}
