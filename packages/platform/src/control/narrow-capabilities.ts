import { type Capabilities, type Manifest, PlatformError, type VersionConfigInput } from "@sous/contract";
import { coversRule, rulesOf } from "./http-rules.ts";

const HTTP_TIMEOUT_DEFAULT_MS = 5000;
const HTTP_TIMEOUT_MAX_MS = 30_000;
const HOST = /^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$|^\[[0-9A-Fa-f:.]+\]$/;

/**
 * Works out what a version may do: what the manifest declares, narrowed by what the publisher sent. A section
 * that is in neither allows nothing.
 * @throws CS_VALIDATION_FAILED naming the first power that the manifest does not grant
 */
export function narrowCapabilities(
  declared: Manifest["capabilities"],
  wanted: VersionConfigInput["capabilities"],
): Capabilities {
  const kv = declared?.kv ?? { prefixes: [], ops: [] };
  const topics = declared?.codeq?.publishTopics ?? [];
  const { allowHosts: hosts = [], allow = [] } = declared?.http ?? {};
  const timeoutMaxMs = declared?.http?.timeoutMs ?? HTTP_TIMEOUT_MAX_MS;
  const timeoutMs = declared?.http?.timeoutMs ?? HTTP_TIMEOUT_DEFAULT_MS;
  const { kv: wantedKv, codeq: wantedCodeq, http: wantedHttp } = wanted ?? {};

  requireEach("kv.prefixes", wantedKv?.prefixes, kv.prefixes, (prefix, granted) =>
    prefix.startsWith(granted),
  );
  requireEach("kv.ops", wantedKv?.ops, kv.ops, (op, granted) => op === granted);
  requireEach("codeq.publish_topics", wantedCodeq?.publish_topics, topics, coversTopic);
  for (const host of wantedHttp?.allow_hosts ?? []) {
    if (!HOST.test(host))
      throw new PlatformError("CS_VALIDATION_FAILED", `capabilities.http.allow_hosts: ${host} is no host`);
  }
  const granted = rulesOf(hosts, allow);
  for (const host of wantedHttp?.allow_hosts ?? []) {
    if (!granted.some((rule) => coversRule({ host }, rule))) throw wider("http.allow_hosts", host);
  }
  for (const rule of wantedHttp?.allow ?? []) {
    if (!granted.some((other) => coversRule(rule, other))) throw wider("http.allow", JSON.stringify(rule));
  }
  if (wantedHttp?.timeout_ms !== undefined && wantedHttp.timeout_ms > timeoutMaxMs) {
    throw wider("http.timeout_ms", `${wantedHttp.timeout_ms} (the manifest allows ${timeoutMaxMs})`);
  }
  return {
    kv: wantedKv ?? kv,
    codeq: wantedCodeq ?? { publish_topics: topics },
    http: {
      ...narrowedLists(wantedHttp, { allow_hosts: hosts, allow }),
      timeout_ms: wantedHttp?.timeout_ms ?? timeoutMs,
    },
  };
}

type HttpLists = Pick<Capabilities["http"], "allow_hosts" | "allow">;

/** Either list of a config replaces both of the manifest: what it does not name it does not want. */
function narrowedLists(wanted: Partial<HttpLists> | undefined, declared: HttpLists): HttpLists {
  const lists = wanted?.allow_hosts === undefined && wanted?.allow === undefined ? declared : wanted;
  const { allow_hosts = [], allow = [] } = lists;
  return allow.length === 0 ? { allow_hosts } : { allow_hosts, allow };
}

function requireEach(
  power: string,
  wanted: readonly string[] | undefined,
  granted: readonly string[],
  covers: (wanted: string, granted: string) => boolean,
): void {
  for (const item of wanted ?? []) {
    if (!granted.some((pattern) => covers(item, pattern))) throw wider(power, item);
  }
}

/** `jobs.*` covers `jobs.mail` and `jobs.mail.*`; a topic without a star covers itself. */
export function coversTopic(wanted: string, granted: string): boolean {
  if (wanted === granted) return true;
  return granted.endsWith("*") && wanted.startsWith(granted.slice(0, -1));
}

const wider = (power: string, item: string): PlatformError =>
  new PlatformError(
    "CS_VALIDATION_FAILED",
    `capabilities.${power}: the manifest does not grant ${item}; a config may only narrow`,
    { details: { power } },
  );
