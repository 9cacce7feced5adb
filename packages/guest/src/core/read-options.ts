import { NativeTypeError, objectKeys, quote, slice, type Table } from "./primordials.ts";

/**
 * Reads the options of a call of `cs`. One that is misspelt would be passed over in silence: it is refused.
 * @param known has the name of each option the call takes, and no prototype
 * @returns nothing when there are none
 * @throws TypeError when they are no object, or naming the options there are
 */
export function readOptions(call: string, options: unknown, known: Table<true>): Table<unknown> | undefined {
  if (options === undefined || options === null) return undefined;
  if (typeof options !== "object") throw new NativeTypeError(`${call}: options must be an object`);
  const given = objectKeys(options);
  for (let index = 0; index < given.length; index++) {
    const name = given[index] as string;
    if (known[name] === undefined) throw new NativeTypeError(unknownOption(call, name, known));
  }
  return options as Table<unknown>;
}

function unknownOption(call: string, name: string, known: Table<true>): string {
  const names = objectKeys(known);
  let list = "";
  for (let index = 0; index < names.length; index++) list += (index === 0 ? "" : ", ") + names[index];
  return `${call}: there is no option ${quote(slice(name, 0, 100))}; the options are: ${list}`;
}
