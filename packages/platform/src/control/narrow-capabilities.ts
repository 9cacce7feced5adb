import { type Capabilities, type Manifest, PlatformError, type VersionConfigInput } from "@sous/contract";

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
  const hosts = declared?.http?.allowHosts ?? [];
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
  requireEach("http.allow_hosts", wantedHttp?.allow_hosts, hosts, coversHost);
  if (wantedHttp?.timeout_ms !== undefined && wantedHttp.timeout_ms > timeoutMaxMs) {
    throw wider("http.timeout_ms", `${wantedHttp.timeout_ms} (the manifest allows ${timeoutMaxMs})`);
  }
  return {
    kv: wantedKv ?? kv,
    codeq: wantedCodeq ?? { publish_topics: topics },
    http: {
      allow_hosts: wantedHttp?.allow_hosts ?? hosts,
      timeout_ms: wantedHttp?.timeout_ms ?? timeoutMs,
    },
  };
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
function coversTopic(wanted: string, granted: string): boolean {
  if (wanted === granted) return true;
  return granted.endsWith("*") && wanted.startsWith(granted.slice(0, -1));
}

/** `*.example.com` covers sub-domains and patterns of them, not `example.com` itself. */
export function coversHost(wanted: string, granted: string): boolean {
  const [host, pattern] = [plainHost(wanted), plainHost(granted)];
  if (host === pattern) return true;
  return pattern.startsWith("*.") && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
}

/** @returns every host a version may call in some way */
export const grantedHosts = (http: Capabilities["http"]): readonly string[] => http.allow_hosts;

const plainHost = (host: string): string => host.toLowerCase().replace(/\.$/, "");

const wider = (power: string, item: string): PlatformError =>
  new PlatformError(
    "CS_VALIDATION_FAILED",
    `capabilities.${power}: the manifest does not grant ${item}; a config may only narrow`,
    { details: { power } },
  );
