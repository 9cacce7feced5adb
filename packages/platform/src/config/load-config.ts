import { createParser, type Limits, PlatformError } from "@sous/contract";
import ipaddr from "ipaddr.js";
import type { Static } from "typebox";
import {
  type Layer,
  readEnvironmentLayer,
  readFileLayer,
  readFlagLayer,
  type Setting,
} from "./config-layers.ts";
import {
  type Config,
  CONFIG_KEYS,
  configDefaults,
  type ConfigMode,
  ConfigSchema,
  LIMIT_BY_KEY,
  SECRET_KEYS,
} from "./config-schema.ts";

export interface LoadConfigOptions {
  mode: ConfigMode;
  /** By dotted key; `config` is the path of the file. */
  flags: Readonly<Record<string, unknown>>;
  env: Readonly<Record<string, string | undefined>>;
  /** @returns the text of a file, `undefined` when there is none */
  readFile: (path: string) => string | undefined;
}

/** One line of what a process runs with, for people: secrets read `[redacted]`. */
export interface ConfigEntry {
  key: string;
  value: unknown;
  /** `default`, `file cs.yaml`, `env SOUS_PORT` or `flag`. */
  source: string;
}

export interface LoadedConfig {
  config: Config;
  entries: ConfigEntry[];
}

const DEFAULT_FILE = "cs.yaml";
const REDACTED = "[redacted]";
const parser = createParser(ConfigSchema, "the configuration");

/**
 * Puts the settings together: flags over environment over file over the defaults of the mode.
 * @throws CS_VALIDATION_FAILED naming the setting and where it came from
 */
export function loadConfig({ mode, flags, env, readFile }: LoadConfigOptions): LoadedConfig {
  const settings: Layer = new Map();
  for (const [key, value] of Object.entries(configDefaults(mode)))
    settings.set(key, { value, source: "default" });
  for (const layer of [fileLayer(flags, env, readFile), readEnvironmentLayer(env), readFlagLayer(flags)]) {
    for (const [key, setting] of layer) settings.set(key, setting);
  }
  if (!settings.has("store")) {
    const data = String(settings.get("data")?.value);
    settings.set("store", { value: `sqlite:${data.replace(/\/$/, "")}/sous.db`, source: "default" });
  }
  if (!settings.has("leader")) {
    // A file is one process's; what lies in a server may be shared, now or after the next change of the deployment.
    const isShared = /^(postgres(ql)?|rediss?):/.test(String(settings.get("store")?.value));
    settings.set("leader", { value: isShared ? "store:" : "local:", source: "default" });
  }
  const config = validated(settings);
  return { config, entries: entriesOf(settings) };
}

/** A file that was asked for must exist; `cs.yaml` in the working folder need not. */
function fileLayer(
  flags: LoadConfigOptions["flags"],
  env: LoadConfigOptions["env"],
  readFile: LoadConfigOptions["readFile"],
): Layer {
  const asked = flags["config"] ?? (env["SOUS_CONFIG"] || undefined);
  const path = typeof asked === "string" ? asked : DEFAULT_FILE;
  const text = readFile(path);
  if (text !== undefined) return readFileLayer(text, path);
  if (asked === undefined) return new Map();
  throw new PlatformError("CS_VALIDATION_FAILED", `there is no file ${path}; mend --config or SOUS_CONFIG`);
}

function validated(settings: ReadonlyMap<string, Setting>): Config {
  const nested = nest(settings);
  const issue = parser.issues(nested)[0];
  if (issue !== undefined) {
    const key = issue.path.slice(1).replaceAll("/", ".");
    throw invalid(key, issue.message, settings);
  }
  const { limits, ...rest } = nested as Static<typeof ConfigSchema>;
  checkRanges("egress.private_allow", rest.egress.private_allow, settings);
  checkRanges("trusted_proxies", rest.trusted_proxies, settings);
  if (rest.auth === "none" && !isLoopback(rest.host)) {
    throw invalid("host", "must be a loopback address with `auth: none`; set auth, e.g. `local:`", settings);
  }
  if (rest.leader === "kubernetes:" && rest.kubernetes.api === "") {
    throw invalid(
      "kubernetes.api",
      "must be set where this runs in no cluster: leader is kubernetes:",
      settings,
    );
  }
  const overrides: Partial<Record<keyof Limits, number>> = {};
  for (const [key, value] of Object.entries(limits)) {
    const name = LIMIT_BY_KEY.get(key);
    if (name !== undefined && typeof value === "number") overrides[name] = value;
  }
  return { ...rest, limits: overrides };
}

function nest(settings: ReadonlyMap<string, Setting>): Record<string, unknown> {
  const root: Record<string, unknown> = { limits: {} };
  for (const [key, { value }] of settings) {
    const [section, name] = key.split(".") as [string, string | undefined];
    if (name === undefined) root[section] = value;
    else root[section] = { ...(root[section] as object | undefined), [name]: value };
  }
  return root;
}

function checkRanges(key: string, ranges: readonly string[], settings: ReadonlyMap<string, Setting>): void {
  for (const range of ranges) {
    if (!ipaddr.isValid(range) && !ipaddr.isValidCIDR(range)) {
      throw invalid(key, `${range} is no address or CIDR range`, settings);
    }
  }
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");

function invalid(key: string, problem: string, settings: ReadonlyMap<string, Setting>): PlatformError {
  const source =
    settings.get(key)?.source ?? [...settings].find(([name]) => key.startsWith(`${name}.`))?.[1].source;
  const from = source === undefined ? "" : ` (${source})`;
  return new PlatformError("CS_VALIDATION_FAILED", `setting ${key}${from} ${problem}`, { details: { key } });
}

function entriesOf(settings: ReadonlyMap<string, Setting>): ConfigEntry[] {
  return [...CONFIG_KEYS.keys()].flatMap((key) => {
    const setting = settings.get(key);
    return setting === undefined ? [] : [{ key, value: shown(key, setting.value), source: setting.source }];
  });
}

function shown(key: string, value: unknown): unknown {
  if (SECRET_KEYS.has(key))
    return value === "" || (Array.isArray(value) && value.length === 0) ? value : REDACTED;
  if (typeof value !== "string") return value;
  return value
    .replace(/(\/\/[^/@]*:)[^/]*@/, `$1${REDACTED}@`)
    .replaceAll(/([?&](?:key|token|secret|password|api_key)=)[^&]+/gi, `$1${REDACTED}`);
}

/** @returns the effective settings as text, one a line with its source */
export const printConfig = (entries: readonly ConfigEntry[]): string =>
  entries.map(({ key, value, source }) => `${key}: ${JSON.stringify(value)}  # ${source}\n`).join("");
