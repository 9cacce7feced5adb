import type { RedisValue } from "../redis-link/index.ts";
import { type Kind, keyOf, type Row, specOf } from "../transfer/kinds.ts";
import type { Access } from "./access.ts";
import type { KeyCensus } from "./key-census.ts";

/** What the parts of an end work with. */
export interface EndAccess extends Access {
  /** Names that only a look through all keys tells; taken once, when first needed. */
  census(): Promise<KeyCensus>;
  /** One plain write. What is sent in order is done in order. */
  put(command: "HSET" | "RPUSH" | "SADD" | "SET" | "ZADD", ...args: RedisValue[]): Promise<unknown>;
}

/** How rows of one kind lie in Redis. */
export interface EndPart {
  read(): AsyncIterable<readonly Row[]>;
  find(rows: readonly Row[]): Promise<(Row | undefined)[]>;
  /** The key by which a row is found is written last, so that a row that is found is whole. */
  insert(rows: readonly Row[]): Promise<void>;
}

/** @returns rows in batches of their kind */
export async function* inBatches(kind: Kind, rows: AsyncIterable<Row>): AsyncIterable<Row[]> {
  const { batch } = specOf(kind);
  let some: Row[] = [];
  for await (const row of rows) {
    some.push(row);
    if (some.length < batch) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

/** @returns the members of a sorted set of one score in order, a stretch at a time; what others add or remove moves none of them */
export async function* lexMembers({ reader }: Access, key: string): AsyncIterable<string[]> {
  for (let from = "-"; ;) {
    const members = await reader.send<string[]>("ZRANGEBYLEX", key, from, "+", "LIMIT", 0, STRETCH);
    const last = members.at(-1);
    if (last === undefined) return;
    yield members;
    from = `(${last}`;
  }
}

/** @returns the members of a sorted set by their scores, a stretch at a time */
export async function* scoredMembers(
  { reader }: Access,
  key: string,
): AsyncIterable<{ member: string; score: number }[]> {
  let from = "-inf";
  let passed = 0;
  for (;;) {
    const range = [from, "+inf", "WITHSCORES", "LIMIT", passed, STRETCH];
    const flat = await reader.send<string[]>("ZRANGEBYSCORE", key, range);
    const found = flat.flatMap((member, at) =>
      at % 2 === 0 ? [{ member, score: Number(flat[at + 1]) }] : [],
    );
    const last = found.at(-1);
    if (last === undefined) return;
    yield found;
    // The next stretch begins at the same score, after those of it that were seen.
    const ofLast = found.filter(({ score }) => score === last.score).length;
    passed = from === String(last.score) ? passed + ofLast : ofLast;
    from = String(last.score);
  }
}

const STRETCH = 200;

/** @returns the places of all names of a namespace's index */
export async function namesOf({ reader }: Access, index: string): Promise<string[]> {
  return await reader.send<string[]>("ZRANGEBYLEX", index, "-", "+");
}

/** @returns the text of a column */
export const text = (row: Row, column: string): string => String(row[column] ?? "");

/** @returns rows under their keys */
export const byKey = (kind: Kind, rows: readonly Row[]): Map<string, Row> =>
  new Map(rows.map((row) => [keyOf(kind, row), row]));
