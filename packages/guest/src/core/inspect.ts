import { withoutOwnFrames } from "./own-frames.ts";
import {
  bufferByteLength,
  dateToIso,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  isArray,
  isError,
  mapForEach,
  mapSize,
  ObjectPrototype,
  ownKeys,
  quote,
  regexpToText,
  sameValue,
  setForEach,
  setSize,
  slice,
  symbolToText,
  type Table,
  toText,
  typedArrayLength,
  typedArrayName,
} from "./primordials.ts";

const DEPTH_MAX = 4;
const ENTRIES_MAX = 100;
const STRING_UNITS_MAX = 10_000;
const NAME_UNITS_MAX = 100;
const OUTPUT_UNITS_MAX = 32_768;
/** Longest text of an object's entries that stays on one line. */
const LINE_UNITS_MAX = 72;

/**
 * Writes any value as text for a log, much as Node's console does, within fixed bounds of depth, entries and
 * length. Getters are named, not run; traps of a proxy run once for each of its entries.
 * Never throws, short of the end of its slice.
 */
export function inspect(value: unknown): string {
  try {
    return writeValue(value, { left: OUTPUT_UNITS_MAX, path: undefined }, 0);
  } catch {
    return "[a value that cannot be shown]";
  }
}

interface Walk {
  /** Code units that may still be written, of the whole text. */
  left: number;
  /** The objects around the value, innermost first. */
  path: Path | undefined;
}
interface Path {
  value: object;
  up: Path | undefined;
}

/** What an object is shown as: a head, then entries between two brackets. */
interface Shape {
  head: string;
  open: string;
  close: string;
  /** Whether the head says it all, so that no empty brackets follow. */
  whole: boolean;
  entries: Table<string>;
  count: number;
  units: number;
}

function writeValue(value: unknown, walk: Walk, depth: number): string {
  if (walk.left <= 0) return "…";
  if (typeof value === "function") return functionText(value);
  if (typeof value === "object" && value !== null) return writeObject(value, walk, depth);
  const text = primitiveText(value);
  walk.left -= text.length;
  return text;
}

function writeObject(value: object, walk: Walk, depth: number): string {
  for (let at = walk.path; at !== undefined; at = at.up) if (at.value === value) return "[Circular]";
  if (depth > DEPTH_MAX) return isArray(value) ? "[Array]" : `[${constructorName(value) || "Object"}]`;
  const shape: Shape = {
    head: "",
    open: "{",
    close: "}",
    whole: false,
    entries: { __proto__: null } as unknown as Table<string>,
    count: 0,
    units: 0,
  };
  walk.path = { value, up: walk.path };
  describe(value, shape, (item) => writeValue(item, walk, depth + 1));
  walk.path = walk.path.up;
  return join(shape, walk, depth);
}

type WriteItem = (item: unknown) => string;

/**
 * Fills in the shape. What kind of object it is, built-ins are asked that refuse every other kind, so that
 * nothing of the value itself runs.
 */
function describe(value: object, shape: Shape, write: WriteItem): void {
  const typedName = typedArrayName(value);
  if (isArray(value) || typedName !== undefined) {
    shape.open = "[";
    shape.close = "]";
    if (typedName !== undefined) shape.head = `${typedName}(${typedArrayLength(value)})`;
    return addList(value as unknown as ArrayLike<unknown>, shape, write);
  }
  shape.head = constructorName(value);
  const prototype = getPrototypeOf(value);
  if (prototype !== null && prototype !== ObjectPrototype) addSpecial(value, shape, write);
  addProperties(value, shape, write);
}

function addSpecial(value: object, shape: Shape, write: WriteItem): void {
  const name = shape.head;
  if (isError(value)) {
    shape.head = errorText(value);
    shape.whole = true;
    const cause = dataOf(value, "cause");
    if (cause !== undefined) add(shape, `[cause]: ${write(cause)}`);
    return;
  }
  attempt(() => {
    shape.head = dateToIso(value as Date);
    shape.whole = true;
  });
  attempt(() => {
    shape.head = `${name}(${mapSize(value)})`;
    mapForEach(value as Map<unknown, unknown>, (item, key) => {
      if (open(shape)) add(shape, `${write(key)} => ${write(item)}`);
    });
  });
  attempt(() => {
    shape.head = `${name}(${setSize(value)})`;
    setForEach(value as Set<unknown>, (item) => {
      if (open(shape)) add(shape, write(item));
    });
  });
  attempt(() => {
    shape.head = `${name}(${bufferByteLength(value)})`;
  });
  // Written by a built-in that reads the pattern from the object: last, and only for what is named so.
  if (name === "RegExp") {
    shape.head = attempt(() => regexpToText(value as RegExp)) ?? name;
    shape.whole = true;
  }
}

function addList(value: ArrayLike<unknown>, shape: Shape, write: WriteItem): void {
  for (let index = 0; index < value.length && open(shape); index++) addOwn(value, index, "", shape, write);
}

function addProperties(value: object, shape: Shape, write: WriteItem): void {
  const names = ownKeys(value);
  for (let index = 0; index < names.length && open(shape); index++) {
    const name = names[index] as string | symbol;
    const shown = typeof name === "symbol" ? `[${symbolToText(name)}]` : nameText(name);
    addOwn(value, name, `${shown}: `, shape, write);
  }
}

function addOwn(value: object, key: PropertyKey, shown: string, shape: Shape, write: WriteItem): void {
  const property = getOwnPropertyDescriptor(value, key);
  if (property === undefined) return add(shape, `${shown}<empty>`);
  if (property.enumerable !== true) return;
  const accessor = property.get !== undefined || property.set !== undefined;
  add(shape, shown + (accessor ? "[Getter/Setter]" : write(property.value)));
}

/** @returns whether another entry may be added; the first one too many leaves a mark */
function open(shape: Shape): boolean {
  if (shape.count < ENTRIES_MAX) return true;
  if (shape.count === ENTRIES_MAX) add(shape, "… more");
  return false;
}

function add(shape: Shape, text: string): void {
  shape.entries[shape.count++] = text;
  shape.units += text.length + 2;
}

function join(shape: Shape, walk: Walk, depth: number): string {
  const { head, entries, count } = shape;
  walk.left -= head.length + 2 + count * 2;
  if (count === 0 && shape.whole) return head;
  const broken = shape.units > LINE_UNITS_MAX;
  const indent = "\n                    ";
  const gap = broken ? slice(indent, 0, 3 + 2 * depth) : shape.open === "{" && count > 0 ? " " : "";
  const last = broken ? slice(indent, 0, 1 + 2 * depth) : gap;
  let text = head === "" ? shape.open : `${head} ${shape.open}`;
  for (let index = 0; index < count; index++) {
    const separator = index === 0 ? gap : broken ? `,${gap}` : ", ";
    text += separator + (entries[index] as string);
  }
  return text + last + shape.close;
}

function primitiveText(value: unknown): string {
  if (typeof value === "string") {
    const more = value.length - STRING_UNITS_MAX;
    return more > 0 ? `${quote(slice(value, 0, STRING_UNITS_MAX))}… ${more} more` : quote(value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return symbolToText(value);
  return sameValue(value, -0) ? "-0" : toText(value);
}

function nameText(name: string): string {
  if (name === "" || name.length > NAME_UNITS_MAX) return quote(slice(name, 0, NAME_UNITS_MAX));
  for (let index = 0; index < name.length; index++) {
    const unit = name[index] as string;
    const letter = (unit >= "a" && unit <= "z") || (unit >= "A" && unit <= "Z");
    if (!letter && unit !== "_" && unit !== "$" && !(unit >= "0" && unit <= "9")) return quote(name);
  }
  return name;
}

function functionText(value: object): string {
  const name = dataOf(value, "name");
  return typeof name === "string" && name !== ""
    ? `[Function: ${slice(name, 0, NAME_UNITS_MAX)}]`
    : "[Function]";
}

/** @returns the name of the class; empty for plain objects */
function constructorName(value: object): string {
  const prototype = getPrototypeOf(value);
  if (prototype === null) return "[Object: null prototype]";
  if (prototype === ObjectPrototype) return "";
  const found = dataOf(prototype, "constructor");
  const name = typeof found === "function" ? dataOf(found, "name") : undefined;
  return typeof name === "string" ? slice(name, 0, NAME_UNITS_MAX) : "";
}

function errorText(value: Error): string {
  const stack = attempt(() => value.stack);
  if (typeof stack === "string" && stack !== "") return withoutOwnFrames(stack);
  const message = attempt(() => value.message);
  return typeof message === "string" ? `[Error: ${slice(message, 0, STRING_UNITS_MAX)}]` : "[Error]";
}

/** Reads a data property without running a getter. */
function dataOf(holder: object, key: string): unknown {
  return getOwnPropertyDescriptor(holder, key)?.value;
}

function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
