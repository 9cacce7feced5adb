import { EndedGroup, readGroup } from "../ended-group.ts";
import { type Kind, keyOf, type Row, specOf, type Value } from "./kinds.ts";
import { rowHash } from "./row-hash.ts";
import type { StoreEnd } from "./store-end.ts";

/** One connection to an SQL database. */
export interface SqlLink {
  readonly place: string;
  readonly engine: "sqlite" | "postgres";
  all(sql: string, values: readonly Value[]): Promise<Row[]>;
  /** Runs a body in a transaction, which is undone when it throws. */
  transaction(body: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Rows of a statement that looks for keys, or inserts. */
const ROWS_AT_ONCE = 200;

/** A store in an SQL database as an end of a migration: its tables are the kinds. */
export function createSqlEnd(link: SqlLink): StoreEnd {
  return {
    place: link.place,
    engine: link.engine,
    async isEmpty(kind) {
      return (await link.all(`select 1 as one from ${specOf(kind).table} limit 1`, [])).length === 0;
    },
    read: (kind) => (kind === "logs" ? readLogs(link) : readTable(link, kind)),
    async find(kind, rows) {
      const found = kind === "logs" ? await findLogs(link, rows) : await findRows(link, kind, rows);
      return rows.map((row) => matching(kind, row, found.get(keyOf(kind, row)) ?? []));
    },
    async insert(kind, rows) {
      await link.transaction(async () => {
        if (kind === "groups") for (const row of rows) await insertGroup(link, row);
        else
          await insertRows(
            link,
            specOf(kind).table,
            rows.map((row) => stored(kind, row)),
          );
      });
    },
    async settle() {
      await link.transaction(async () => {
        await link.all("delete from kv_usage", []);
        await link.all(
          "insert into kv_usage (tenant, namespace, bytes) select tenant, namespace, sum(bytes) from kv group by tenant, namespace",
          [],
        );
      });
    },
    [Symbol.asyncDispose]: () => link.close(),
  };
}

async function* readTable(link: SqlLink, kind: Kind): AsyncIterable<Row[]> {
  const { table, columns, order, batch } = specOf(kind);
  const wanted = [...new Set([...Object.keys(columns), ...order])].map(quoted).join(", ");
  yield* pages(link, `select ${wanted} from ${table}`, order, batch, (row) => {
    const { seq: _, ...rest } = row;
    return order[0] === "seq" ? rest : row;
  });
}

/** Pages by the values of their last row, so that none is slower than the first. */
async function* pages(
  link: SqlLink,
  select: string,
  order: readonly string[],
  limit: number,
  shape: (row: Row) => Row,
): AsyncIterable<Row[]> {
  const by = order.map(quoted).join(", ");
  let after: Value[] = [];
  for (;;) {
    const values = after.map((value, at) => placeholder(link, at, value));
    const where = after.length === 0 ? "" : ` where (${by}) > (${values.join(", ")})`;
    const rows = await link.all(`${select}${where} order by ${by} limit ${limit}`, after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(shape);
    if (rows.length < limit) return;
    after = order.map((column) => last[column] ?? null);
  }
}

/** The rows of one activation are one log. */
async function* readLogs(link: SqlLink): AsyncIterable<Row[]> {
  const { order, batch } = specOf("logs");
  const select = `select tenant, activation_id, "first", at_ms, lines from logs`;
  let open: Row | undefined;
  for await (const rows of pages(link, select, order, batch, (row) => row)) {
    const whole: Row[] = [];
    for (const row of rows) {
      if (open !== undefined && keyOf("logs", open) === keyOf("logs", row)) {
        open = joined(open, row);
        continue;
      }
      if (open !== undefined) whole.push(open);
      open = joined(undefined, row);
    }
    if (whole.length > 0) yield whole;
  }
  if (open !== undefined) yield [open];
}

function joined(before: Row | undefined, { tenant, activation_id, at_ms, lines }: Row): Row {
  const row = {
    tenant: tenant ?? null,
    activation_id: activation_id ?? null,
    at_ms: at_ms ?? null,
    lines: lines ?? "[]",
  };
  if (before === undefined) return row;
  const all = [...linesOf(before), ...linesOf(row)];
  return { ...row, at_ms: Math.max(Number(before["at_ms"]), Number(at_ms)), lines: JSON.stringify(all) };
}

export const linesOf = (row: Row): string[] => JSON.parse(String(row["lines"])) as string[];

async function findRows(link: SqlLink, kind: Kind, rows: readonly Row[]): Promise<Map<string, Row[]>> {
  const { columns } = specOf(kind);
  const wanted = Object.keys(columns).map(quoted).join(", ");
  return await byKeys(
    link,
    kind,
    rows,
    (keys) => `select ${wanted} from ${specOf(kind).table} where ${keys}`,
  );
}

async function findLogs(link: SqlLink, rows: readonly Row[]): Promise<Map<string, Row[]>> {
  const found = await byKeys(
    link,
    "logs",
    rows,
    (keys) => `select tenant, activation_id, "first", at_ms, lines from logs where ${keys} order by "first"`,
  );
  for (const [key, parts] of found) {
    const whole = parts.reduce<Row | undefined>((before, part) => joined(before, part), undefined);
    if (whole !== undefined) found.set(key, [whole]);
  }
  return found;
}

async function byKeys(
  link: SqlLink,
  kind: Kind,
  rows: readonly Row[],
  select: (keys: string) => string,
): Promise<Map<string, Row[]>> {
  const { key } = specOf(kind);
  const found = new Map<string, Row[]>();
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const values: Value[] = [];
    const tuples = rows.slice(at, at + ROWS_AT_ONCE).map((row) => {
      const own = key.map((column) =>
        placeholder(link, values.push(row[column] ?? null) - 1, row[column] ?? null),
      );
      return `(${own.join(", ")})`;
    });
    const keys = `(${key.map(quoted).join(", ")}) in (values ${tuples.join(", ")})`;
    for (const row of await link.all(select(keys), values)) {
      const name = keyOf(kind, row);
      found.set(name, [...(found.get(name) ?? []), row]);
    }
  }
  return found;
}

/** Groups have no name: two are one when they say the same. */
function matching(kind: Kind, row: Row, found: readonly Row[]): Row | undefined {
  if (kind !== "groups") return found[0];
  return found.find((one) => rowHash(kind, one) === rowHash(kind, row));
}

/** @returns the row as its table has it, with what follows from it */
function stored(kind: Kind, row: Row): Row {
  if (kind === "kv") {
    return { ...row, bytes: Buffer.byteLength(String(row["key"])) + Buffer.byteLength(String(row["json"])) };
  }
  if (kind === "logs") return { ...row, first: 0, count: linesOf(row).length };
  return row;
}

async function insertRows(link: SqlLink, table: string, rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const some = rows.slice(at, at + ROWS_AT_ONCE);
    const columns = Object.keys(some[0] ?? {});
    const values: Value[] = [];
    const tuples = some.map(
      (row) =>
        `(${columns.map((column) => placeholder(link, values.push(row[column] ?? null) - 1, undefined)).join(", ")})`,
    );
    const names = columns.map(quoted).join(", ");
    await link.all(`insert into ${table} (${names}) values ${tuples.join(", ")}`, values);
  }
}

async function insertGroup(link: SqlLink, row: Row): Promise<void> {
  const columns = Object.keys(specOf("groups").columns);
  const values = columns.map((column) => row[column] ?? null);
  const places = values.map((_, at) => placeholder(link, at, undefined)).join(", ");
  const [head] = await link.all(
    `insert into activation_groups (${columns.map(quoted).join(", ")}) values (${places}) returning seq`,
    values,
  );
  const seq = head?.["seq"] ?? null;
  const parts = partsOf(String(row["doc"])).map(
    ({ tenant, namespace, function: name, firstMs, lastMs, failed }): Row => ({
      group_seq: seq,
      tenant,
      namespace,
      function: name,
      first_ms: firstMs,
      last_ms: lastMs,
      failed,
    }),
  );
  await insertRows(link, "activation_group_parts", parts);
}

/** @returns whose ends a group holds, as it was told when they were added */
export function partsOf(document: string): EndedGroup["parts"] {
  const group = new EndedGroup();
  for (const { record, lines } of readGroup(document)) group.add(record, lines);
  return group.parts;
}

const quoted = (column: string): string => `"${column}"`;

/** PostgreSQL guesses text for what it cannot know the type of. @param value tells the type where it is not a column's */
function placeholder({ engine }: SqlLink, at: number, value: Value | undefined): string {
  if (engine === "sqlite") return "?";
  return `$${at + 1}${typeof value === "number" ? "::bigint" : typeof value === "string" ? "::text" : ""}`;
}
