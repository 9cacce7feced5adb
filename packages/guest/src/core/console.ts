import { formatLine } from "./format.ts";
import { inspect } from "./inspect.ts";
import { LEVEL, type Level, type WriteLine } from "./log.ts";
import { withoutOwnFrames } from "./own-frames.ts";
import { NativeError, repeat, slice, type Table, toFixed, toText } from "./primordials.ts";
import { tableText } from "./table.ts";

const GROUPS_MAX = 20;
const LABELS_MAX = 1000;
const LABEL_UNITS_MAX = 256;

/**
 * Makes the guest's `console`: every line goes into the activation's log.
 * @param now milliseconds with fractions, for `time` and its kin
 */
export function createConsole(write: WriteLine, now: () => number): object {
  let depth = 0;
  const line = (level: Level, text: string): void => {
    write(level, depth === 0 ? text : repeat("  ", depth) + text);
  };
  const info = (...items: unknown[]): void => line(LEVEL.info, formatLine(items));
  const debug = (...items: unknown[]): void => line(LEVEL.debug, formatLine(items));
  const group = (...items: unknown[]): void => {
    if (items.length > 0) line(LEVEL.info, formatLine(items));
    if (depth < GROUPS_MAX) depth++;
  };
  return {
    log: info,
    info,
    debug,
    warn: (...items: unknown[]) => line(LEVEL.warn, formatLine(items)),
    error: (...items: unknown[]) => line(LEVEL.error, formatLine(items)),
    trace(...items: unknown[]) {
      const stack = withoutOwnFrames(new NativeError(formatLine(items)).stack ?? "");
      line(LEVEL.debug, `Trace${slice(stack, "Error".length)}`);
    },
    dir: (value?: unknown) => line(LEVEL.info, inspect(value)),
    dirxml: info,
    table: (value?: unknown) => line(LEVEL.info, tableText(value)),
    assert(condition?: unknown, ...items: unknown[]) {
      if (condition) return;
      line(LEVEL.error, items.length === 0 ? "Assertion failed" : `Assertion failed: ${formatLine(items)}`);
    },
    group,
    groupCollapsed: group,
    groupEnd() {
      if (depth > 0) depth--;
    },
    ...counting(line),
    ...timing(line, now),
  };
}

function counting(line: WriteLine): object {
  const counts = createLabels();
  return {
    count(name?: unknown) {
      const label = labelOf(name);
      const count = (counts.get(label) ?? 0) + 1;
      counts.set(label, count);
      line(LEVEL.info, `${label}: ${count}`);
    },
    countReset: (name?: unknown) => counts.remove(labelOf(name)),
  };
}

function timing(line: WriteLine, now: () => number): object {
  const starts = createLabels();
  const show = (label: string, rest: string): void => {
    const start = starts.get(label);
    if (start === undefined) line(LEVEL.warn, `Timer '${label}' does not exist`);
    else line(LEVEL.info, `${label}: ${toFixed(now() - start, 3)}ms${rest}`);
  };
  return {
    time: (name?: unknown) => starts.set(labelOf(name), now()),
    timeLog: (name?: unknown, ...items: unknown[]) =>
      show(labelOf(name), items.length === 0 ? "" : ` ${formatLine(items)}`),
    timeEnd(name?: unknown) {
      const label = labelOf(name);
      show(label, "");
      starts.remove(label);
    },
  };
}

interface Labels {
  get(label: string): number | undefined;
  set(label: string, value: number): void;
  remove(label: string): void;
}

/** Numbers by label; labels beyond the bound are not kept. */
function createLabels(): Labels {
  const values = { __proto__: null } as unknown as Table<number>;
  let size = 0;
  return {
    get: (label) => values[label],
    set(label, value) {
      if (values[label] === undefined && ++size > LABELS_MAX) return;
      values[label] = value;
    },
    remove(label) {
      if (values[label] !== undefined) size--;
      delete values[label];
    },
  };
}

const labelOf = (name: unknown): string =>
  name === undefined ? "default" : slice(typeof name === "string" ? name : toText(name), 0, LABEL_UNITS_MAX);
