import { type ConfigEntry, loadConfig } from "../config/load-config.ts";
import { environment } from "../config/environment.ts";
import { readIfThere } from "./read-if-there.ts";

/** @returns every setting `cs serve` would run with and where it comes from; secrets are redacted */
export async function describeConfig(flags: object): Promise<ConfigEntry[]> {
  const given = flags as Readonly<Record<string, unknown>>;
  return loadConfig({ mode: "serve", flags: given, env: environment(), readFile: readIfThere }).entries;
}
