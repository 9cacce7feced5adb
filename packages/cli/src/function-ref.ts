import type { RefTarget } from "@sous/contract";
import { CliError } from "./client/cli-error.ts";

/** A function as the command line names it: `hello`, `hello@prod`, `hello@17`. */
export interface NamedRef {
  name: string;
  /** `undefined` means the newest version. */
  target: RefTarget | undefined;
}

/** Splits `name@ref`; whether the parts are well-formed is the server's to say. */
export function parseNamedRef(text: string): NamedRef {
  const at = text.indexOf("@");
  if (at < 0) return { name: text, target: undefined };
  const [name, ref] = [text.slice(0, at), text.slice(at + 1)];
  if (name === "" || ref === "") {
    throw new CliError(`${JSON.stringify(text)} is not name@alias or name@version`);
  }
  return { name, target: /^\d+$/.test(ref) ? { version: Number(ref) } : { alias: ref } };
}

/** @returns the ref as it stands in a path and after `@` */
export function formatTarget(target: RefTarget | undefined): string {
  if (target === undefined) return "latest";
  return "version" in target ? String(target.version) : target.alias;
}
