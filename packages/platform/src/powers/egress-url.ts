import { PlatformError } from "@sous/contract";
import type { AddressJudge, AddressProblem } from "./address-judge.ts";
import { addressOf, withoutDot } from "./allow-host.ts";
import type { HttpPermit } from "./http-permit.ts";

const URL_CHARACTERS_MAX = 8192;
// Names that mean this machine, this network or a cloud's metadata service wherever they resolve to.
const METADATA_NAMES = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "metadata.azure.internal",
  "instance-data",
  "instance-data.ec2.internal",
]);
const LOCAL_SUFFIXES = [
  "localhost",
  "localdomain",
  "local",
  "internal",
  "svc",
  "cluster.local",
  "home.arpa",
  "lan",
  "intranet",
  "corp",
  "onion",
];

export interface UrlPolicy {
  judge: AddressJudge;
  /** For ports that the version lists by number. */
  anyPortJudge: AddressJudge;
  permit: HttpPermit;
  method: string;
}

/** A URL that may be called. */
export interface CheckedUrl {
  url: URL;
  /** Whether its port is one that the version lists by number, beyond those anybody may call. */
  listedPort: boolean;
}

/**
 * Judges a URL before anything is sent: scheme, user info, what the version may call, local names, literal
 * addresses and port. Literal addresses have to be judged here: a connection to one never asks a resolver.
 * @throws CS_VALIDATION_FAILED when it is no http(s) URL, CS_RUNTIME_CAPABILITY_DENIED when it may not be called
 */
export function checkEgressUrl(text: string, policy: UrlPolicy): CheckedUrl {
  if (text.length > URL_CHARACTERS_MAX) throw invalid(`is longer than ${URL_CHARACTERS_MAX} characters`);
  const url = URL.parse(text);
  if (url === null) throw invalid("is not a URL; write it in full, like https://api.example.com/path");
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw invalid("must begin with https:// or http://");
  if (url.username !== "" || url.password !== "")
    throw invalid("must not hold a user or password; send a header");
  // The parser has brought every spelling of an address into one, so only its reading of the host counts.
  const host = withoutDot(url.hostname);
  const port = portOf(url);
  const verdict = policy.permit({ url, method: policy.method, port });
  if (!verdict.allowed) throw denied(verdict.problem);
  const { listedPort } = verdict;
  const problem = hostProblem(host, port, listedPort ? policy.anyPortJudge : policy.judge);
  if (problem !== undefined) throw addressRefusal(problem, host, port);
  return { url, listedPort };
}

function hostProblem(host: string, port: number, judge: AddressJudge): AddressProblem | undefined {
  const address = addressOf(host);
  if (address !== undefined) return judge.judge(address, port);
  if (METADATA_NAMES.has(host)) return "private";
  // Where the operator opened private ranges, the addresses behind a name decide, and on which port.
  if (judge.opensPrivate) return undefined;
  const local = LOCAL_SUFFIXES.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
  if (local || !host.includes(".")) return "private";
  return judge.allowsPort(port) ? undefined : "port";
}

/**
 * The refusal of a host for what a judge said about an address of it. The message never tells the address:
 * that would map the platform's network for whoever asks.
 */
export function addressRefusal(problem: AddressProblem, host: string, port: number): PlatformError {
  return problem === "private"
    ? denied(`the host ${quoted(host)} is not on the public Internet`)
    : denied(`port ${port} may not be called; use 443 or 80`);
}

/** @returns the port a URL means, spelt out or not */
export const portOf = (url: { protocol: string; port: string }): number =>
  url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);

const denied = (message: string): PlatformError =>
  new PlatformError("CS_RUNTIME_CAPABILITY_DENIED", `cs.http.fetch: ${message}`);

const invalid = (problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `cs.http.fetch: the URL ${problem}`);

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));
