import type { Random } from "./random.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Values that somewhere mean something else than they seem. */
const ODD: readonly Json[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  2 ** 53,
  "",
  "../..",
  "__proto__",
  "constructor",
  "a\u0000b",
  "\ud800",
  "x".repeat(5000),
  "*",
  "t_default",
  [],
  {},
  [[[[[[]]]]]],
];
const KEYS = ["__proto__", "constructor", "toString", "", "a", "then", "length", "schema", "limits"];

/** @returns a copy with one to three values replaced, removed, doubled, renamed or added somewhere inside */
export function mutateJson(value: Json, random: Random): Json {
  let changed = value;
  for (let left = 1 + random.below(3); left > 0; left--) changed = change(changed, random, 0);
  return changed;
}

function change(value: Json, random: Random, depth: number): Json {
  if (typeof value !== "object" || value === null || random.chance(0.1)) return random.pick(ODD);
  if (Array.isArray(value)) {
    const at = random.below(value.length + 1);
    if (at === value.length || random.chance(0.2)) return [...value, random.pick(ODD)];
    if (random.chance(0.2)) return value.toSpliced(at, 1);
    if (random.chance(0.1)) return Array.from({ length: 300 }, () => value[at] ?? null);
    return value.with(at, change(value[at] ?? null, random, depth + 1));
  }
  const entries = Object.entries(value);
  const at = random.below(entries.length + 1);
  const [key = "", inner = null] = entries[at] ?? [];
  if (at === entries.length || random.chance(0.15)) entries.push([random.pick(KEYS), random.pick(ODD)]);
  else if (random.chance(0.2)) entries.splice(at, 1);
  else if (random.chance(0.1)) entries[at] = [random.pick(KEYS), inner];
  else entries[at] = [key, change(inner, random, depth + 1)];
  return Object.fromEntries(entries);
}

/** @returns values with less in them */
export function* smallerJson(value: Json): Generator<Json> {
  if (typeof value === "string" && value.length > 1) yield value.slice(0, value.length >> 1);
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      yield value.toSpliced(at, 1);
      for (const less of smallerJson(item)) yield value.with(at, less);
    }
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== key));
    for (const less of smallerJson(inner)) yield { ...value, [key]: less };
  }
}
