import type { TerminalRecord } from "./store.ts";

/** Most ends of a group; readers count on it. */
export const GROUP_ENDS_MAX = 1024;
/** No more milliseconds lie between the first and the last moment of a group: a reader looks at few of them. */
export const GROUP_SPAN_MS = 1000;
/** Text a group may hold before it is full, in UTF-16 code units, not counting what JSON escapes. */
const GROUP_LENGTH_MAX = 1024 * 1024;
/** Log text of one end that may go with it. */
const LINES_LENGTH_MAX = 16 * 1024;

/** The end of an activation with the lines of its log. */
export interface End {
  record: TerminalRecord;
  lines: readonly string[];
}

/** What many ends share: everything that follows from who calls what. */
type Common = Pick<
  TerminalRecord,
  | "tenant"
  | "namespace"
  | "function"
  | "ref"
  | "resolved_version"
  | "trigger"
  | "principal"
  | "mode"
  | "tier"
  | "sandbox_id"
  | "invoker"
>;

/** What few ends have. */
type Rare = Partial<Omit<TerminalRecord, keyof Common>> & {
  /** Whether the body is base64, where there is a result. */
  base64?: boolean;
  cookies?: string[];
  source?: Record<string, unknown>;
  lines?: readonly string[];
};

/**
 * One end as an array. Moments are told from the group's, or from the one before: what is small prints fast. Spans with
 * fractions travel as whole microseconds.
 */
type Packed = [
  common: number,
  activationId: string,
  requestId: string,
  sinceBaseMs: number,
  waitedMs: number | null,
  tookMs: number | null,
  durationMs: number | null,
  deadlineAfterMs: number,
  queueUs: number,
  placementUs: number,
  bootUs: number,
  fetchUs: number,
  initUs: number,
  handlerUs: number,
  hostCallsUs: number,
  cpuUs: number,
  memoryPeakBytes: number,
  logBytes: number,
  hostCalls: number,
  egressBytes: number,
  statusCode: number,
  headers: Record<string, string> | 0,
  body: string,
  rare: Rare | 0,
];

/** Values of a packed end. */
const FIELDS: Packed["length"] = 24;
const ID_COLUMN = 1;
/** What they come to at most when they are printed, without the texts that are counted by themselves. */
const PACKED_LENGTH = 384;
/** Quotes, colon and comma of a header. */
const HEADER_MARKS = 6;

interface Shared {
  baseMs: number;
  commons: Common[];
}

interface Document extends Shared {
  size: number;
  /** The packed ends by column, in the order of `Packed`: one value for each end, or the one that all of them have. */
  columns: unknown[];
}

/** As groups were written at first. */
interface RowDocument extends Shared {
  ends: Packed[];
}

/** A function with ends in a group, and the moments of its first and last one. */
export interface GroupPart {
  tenant: string;
  namespace: string;
  function: string;
  firstMs: number;
  lastMs: number;
  /** Ends that are no success: readers who look for failures pass over the others. */
  failed: number;
}

/**
 * Ends of activations that are written as one: synchronous calls come by the ten thousand a second, and a row of
 * its own with four indexes costs the store more than the call cost everybody else. What the ends have in common
 * is in the group once.
 */
export class EndedGroup {
  readonly #columns: unknown[][] = Array.from({ length: FIELDS }, () => []);
  readonly #commons: Common[] = [];
  readonly #parts: GroupPart[] = [];
  /** The part of each common. */
  readonly #partOf: GroupPart[] = [];
  #length = 0;
  #baseMs = 0;
  #firstMs = Infinity;
  #lastMs = 0;

  get size(): number {
    return this.#ids.length;
  }

  get #ids(): readonly unknown[] {
    return this.#columns[ID_COLUMN] as unknown[];
  }

  /** The earliest and the latest moment its ends were queued, or their ids made. */
  get span(): { firstMs: number; lastMs: number } {
    return { firstMs: this.#firstMs, lastMs: this.#lastMs };
  }

  get parts(): readonly GroupPart[] {
    return this.#parts;
  }

  /**
   * Takes in the end of a first attempt.
   * @returns `false` when the group is full, or this end lies too far from the others: begin another one, or
   * write it by itself where even an empty group does not take it
   */
  add(record: TerminalRecord, lines: readonly string[]): boolean {
    const madeMs = idMoment(record.activation_id);
    if (madeMs === undefined || record.attempt !== 1 || record.attempts.length > 0) return false;
    const firstMs = Math.min(this.#firstMs, madeMs, record.enqueued_at_ms);
    const lastMs = Math.max(this.#lastMs, madeMs, record.enqueued_at_ms);
    if (lastMs - firstMs > GROUP_SPAN_MS || this.size >= GROUP_ENDS_MAX || this.#length > GROUP_LENGTH_MAX)
      return false;
    if (lines.length > 0 && lengthOf(lines) > LINES_LENGTH_MAX) return false;
    const common = this.#commonOf(record);
    if (this.size === 0) this.#baseMs = record.enqueued_at_ms;
    const rare = rareOf(this.#commons[common] as Common, record, lines);
    const row = packed(common, this.#baseMs, record, rare);
    for (let column = 0; column < FIELDS; column++) (this.#columns[column] as unknown[]).push(row[column]);
    this.#length += lengthOfEnd(record, rare);
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
    const part = this.#partOf[common] as GroupPart;
    part.firstMs = Math.min(part.firstMs, record.enqueued_at_ms);
    part.lastMs = Math.max(part.lastMs, record.enqueued_at_ms);
    if (record.status !== "success") part.failed++;
    return true;
  }

  /** @returns the end with this id */
  find(tenant: string, activationId: string): End | undefined {
    const at = this.#ids.indexOf(activationId);
    if (at < 0) return undefined;
    const end = unpacked(this.#columns.map((column) => column[at]) as Packed, this.#baseMs, this.#commons);
    return end.record.tenant === tenant ? end : undefined;
  }

  /** The document the store keeps; `readGroup` reads it. */
  toText(): string {
    const document: Document = {
      baseMs: this.#baseMs,
      size: this.size,
      columns: this.#columns.map(oneForAll),
      commons: this.#commons,
    };
    return JSON.stringify(document);
  }

  /** Every end in it. */
  ends(): End[] {
    return readGroup(this.toText());
  }

  /** The newest is looked at first: the same caller calls again. Same objects mean same content; others cost a few bytes. */
  #commonOf(record: TerminalRecord): number {
    const commons = this.#commons;
    for (let at = commons.length - 1; at >= 0; at--) {
      const common = commons[at] as Common;
      if (
        common.ref === record.ref &&
        common.principal === record.principal &&
        common.resolved_version === record.resolved_version &&
        common.sandbox_id === record.sandbox_id &&
        common.trigger.type === record.trigger.type &&
        common.invoker === record.invoker &&
        common.tenant === record.tenant &&
        common.namespace === record.namespace
      )
        return at;
    }
    const { tenant, namespace, function: name, ref, resolved_version, trigger, principal } = record;
    const { mode, tier, sandbox_id, invoker } = record;
    commons.push({
      tenant,
      namespace,
      function: name,
      ref,
      resolved_version,
      trigger,
      principal,
      mode,
      tier,
      sandbox_id,
      ...(invoker === undefined ? {} : { invoker }),
    });
    this.#partOf.push(this.#part(tenant, namespace, name));
    return commons.length - 1;
  }

  #part(tenant: string, namespace: string, name: string): GroupPart {
    const known = this.#parts.find(
      (part) => part.function === name && part.namespace === namespace && part.tenant === tenant,
    );
    if (known !== undefined) return known;
    const part = { tenant, namespace, function: name, firstMs: Infinity, lastMs: 0, failed: 0 };
    this.#parts.push(part);
    return part;
  }
}

/** @returns the ends of a document that `EndedGroup` made, in the order they were added */
export function readGroup(text: string): End[] {
  const document = JSON.parse(text) as Document | RowDocument;
  const { baseMs, commons } = document;
  const rows = "ends" in document ? document.ends : rowsOf(document);
  return rows.map((row) => unpacked(row, baseMs, commons));
}

function rowsOf({ size, columns }: Document): Packed[] {
  return Array.from(
    { length: size },
    (_, at) =>
      columns.map((column) => (Array.isArray(column) ? (column as unknown[])[at] : column)) as Packed,
  );
}

/** @returns the text or number all ends have, or the values. Columns hold no arrays: by that readers tell the two apart. */
function oneForAll(column: readonly unknown[]): unknown {
  const [first] = column;
  if (typeof first === "object" && first !== null) return column;
  for (const value of column) if (value !== first) return column;
  return first;
}

/**
 * @returns the moment in a UUID of version 7, epoch milliseconds, or `undefined` for any other id: by it a reader
 * knows which groups may hold an id
 */
export function idMoment(id: string): number | undefined {
  if (id.length !== 36 || id.charCodeAt(14) !== 0x37) return undefined;
  // Ids that end together often began in the same millisecond.
  if (id.startsWith(lastMoment.prefix)) return lastMoment.moment;
  const prefix = id.slice(0, 13);
  const moment = Number.parseInt(prefix.slice(0, 8) + prefix.slice(9), 16);
  if (Number.isNaN(moment)) return undefined;
  lastMoment = { prefix, moment };
  return moment;
}

// No id begins with what is longer than an id.
let lastMoment = { prefix: "-".repeat(37), moment: 0 };

function packed(common: number, baseMs: number, record: TerminalRecord, rare: Rare | 0): Packed {
  const { timings, start_ms, end_ms, enqueued_at_ms, result } = record;
  return [
    common,
    record.activation_id,
    record.request_id,
    enqueued_at_ms - baseMs,
    start_ms === null ? null : start_ms - enqueued_at_ms,
    end_ms === null ? null : end_ms - enqueued_at_ms,
    record.duration_ms,
    record.deadline_ms - enqueued_at_ms,
    microseconds(timings.queue_ms),
    microseconds(timings.placement_ms),
    microseconds(timings.boot_ms),
    microseconds(timings.fetch_ms),
    microseconds(timings.init_ms),
    microseconds(timings.handler_ms),
    microseconds(timings.host_calls_ms),
    microseconds(record.cpu_ms),
    record.memory_peak_bytes,
    record.log_bytes,
    record.host_calls,
    record.egress_bytes,
    result?.statusCode ?? 0,
    result === undefined || isEmpty(result.headers) ? 0 : result.headers,
    result?.body ?? "",
    rare,
  ];
}

/** @returns characters of an end when it is printed, before any are escaped */
function lengthOfEnd({ request_id, result }: TerminalRecord, rare: Rare | 0): number {
  let length = PACKED_LENGTH + request_id.length;
  if (result !== undefined) {
    length += result.body.length;
    for (const name in result.headers)
      length += name.length + (result.headers[name] ?? "").length + HEADER_MARKS;
  }
  if (rare !== 0) length += JSON.stringify(rare).length;
  return length;
}

function isEmpty(headers: Record<string, string>): boolean {
  for (const _ in headers) return false;
  return true;
}

function rareOf(shared: Common, record: TerminalRecord, lines: readonly string[]): Rare | 0 {
  const sameSource = shared.trigger.source === record.trigger.source;
  if (
    sameSource &&
    lines.length === 0 &&
    !record.cold &&
    record.status === "success" &&
    !record.result_truncated &&
    record.result?.isBase64Encoded === false &&
    record.result.cookies === undefined &&
    record.traceparent === undefined &&
    record.fingerprint === undefined &&
    record.usage === undefined &&
    record.depth === undefined
  )
    return 0;
  const { status, error, result_truncated, cold, cold_reason, logs_truncated, traceparent, fingerprint } =
    record;
  const rare: Rare = { status, result_truncated, cold, cold_reason, logs_truncated };
  if (error !== undefined) rare.error = error;
  if (traceparent !== undefined) rare.traceparent = traceparent;
  if (fingerprint !== undefined) rare.fingerprint = fingerprint;
  if (record.usage !== undefined) rare.usage = record.usage;
  if (record.depth !== undefined) rare.depth = record.depth;
  if (!sameSource) rare.source = record.trigger.source;
  if (lines.length > 0) rare.lines = lines;
  if (record.result !== undefined) rare.base64 = record.result.isBase64Encoded;
  if (record.result?.cookies !== undefined) rare.cookies = record.result.cookies;
  return rare;
}

function unpacked(end: Packed, baseMs: number, commons: readonly Common[]): End {
  const [common, activation_id, request_id, sinceBase, waited, took, duration_ms, deadlineAfter] = end;
  const [, , , , , , , , queue, placement, boot, fetch, init, handler, calls, cpu, ...rest] = end;
  const [memory_peak_bytes, log_bytes, host_calls, egress_bytes, statusCode, headers, body, rare] = rest;
  const seldom = rare === 0 ? NONE : rare;
  const { source, lines = [], cookies, base64 = rare === 0 ? false : undefined, ...fields } = seldom;
  const shared = commons[common] as Common;
  const enqueued_at_ms = baseMs + sinceBase;
  const record: TerminalRecord = {
    activation_id,
    request_id,
    ...shared,
    trigger: source === undefined ? shared.trigger : { ...shared.trigger, source },
    status: "success",
    attempt: 1,
    attempts: [],
    enqueued_at_ms,
    start_ms: waited === null ? null : enqueued_at_ms + waited,
    end_ms: took === null ? null : enqueued_at_ms + took,
    duration_ms,
    deadline_ms: enqueued_at_ms + deadlineAfter,
    result_truncated: false,
    cold: false,
    cold_reason: "none",
    timings: {
      queue_ms: queue / 1000,
      placement_ms: placement / 1000,
      boot_ms: boot / 1000,
      fetch_ms: fetch / 1000,
      init_ms: init / 1000,
      handler_ms: handler / 1000,
      host_calls_ms: calls / 1000,
    },
    cpu_ms: cpu / 1000,
    memory_peak_bytes,
    log_bytes,
    logs_truncated: false,
    host_calls,
    egress_bytes,
    ...fields,
  };
  if (base64 !== undefined) {
    record.result = { statusCode, headers: headers === 0 ? {} : headers, body, isBase64Encoded: base64 };
    if (cookies !== undefined) record.result.cookies = cookies;
  }
  return { record, lines };
}

const NONE: Rare = {};

const microseconds = (ms: number): number => Math.round(ms * 1000);

function lengthOf(lines: readonly string[]): number {
  let length = 0;
  for (const line of lines) length += line.length;
  return length;
}
