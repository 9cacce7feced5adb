import { networkInterfaces } from "node:os";
import { DEPTH_HEADER, LIMITS, PlatformError } from "@sous/contract";
import type { Agent, Dispatcher } from "undici";
import { type AddressJudge, type AddressJudgeOptions, createAddressJudge } from "./address-judge.ts";
import type { Resolver } from "./checked-agent.ts";
import { checkRequestHeaders, flattenResponseHeaders, headerBytes, type Headers } from "./egress-headers.ts";
import { type CheckedUrl, checkEgressUrl } from "./egress-url.ts";
import {
  type EgressMethod,
  followRedirect,
  type Journey,
  methodAfter,
  redirectTarget,
} from "./follow-redirect.ts";
import { createHttpPermit, type HttpGrants, type HttpPermit } from "./http-permit.ts";
import { readCappedBody } from "./read-capped-body.ts";

/** A call out, parsed but not yet judged. */
export interface EgressRequest {
  url: string;
  method: EgressMethod;
  /** Unjudged pairs of name and value. */
  headers: Iterable<readonly [string, unknown]>;
  body: Buffer | undefined;
  /** What to do with a redirect: follow it, hand it to the function, or fail. */
  redirect: "follow" | "manual" | "error";
  /** For everything: names, connections, redirects and the body; milliseconds. */
  timeoutMs: number;
}

/** On whose behalf a call is made. */
export interface EgressPolicy {
  tenant: string;
  /** What it may call; the same object for every call of a version. */
  grants: HttpGrants;
  /** Told to whoever is called: how many functions called one another up to there. */
  depth: number;
  /** Hears of bytes in both directions as they pass, also of calls that fail. What it throws ends the call. */
  onBytes(bytes: number): void;
  /** Completes the headers of a hop, 0 for the call itself; what it gives goes out and nowhere else. */
  fillHeaders?(url: URL, headers: Headers, hop: number): Promise<Headers>;
}

export interface EgressResponse {
  status: number;
  /** Lower-case names. */
  headers: Headers;
  /** Each `Set-Cookie`, where there are several: joined, as `headers` has them, nobody can tell them apart. */
  cookies?: string[];
  body: Buffer;
  /** Where the answer came from, redirects followed. */
  url: string;
}

/** The only way out of the platform for functions. */
export interface Egress extends AsyncDisposable {
  /**
   * @throws CS_RUNTIME_CAPABILITY_DENIED for a host, method, path, port or address that may not be called, also in a redirect
   * @throws CS_VALIDATION_FAILED for a URL or header that is none
   * @throws CS_PAYLOAD_TOO_LARGE for an answer over 5 MiB
   * @throws CS_RATE_LIMITED when the tenant has too many calls open
   * @throws CS_RUNTIME_EGRESS_FAILED for everything that goes wrong on the way
   */
  fetch(request: EgressRequest, policy: EgressPolicy): Promise<EgressResponse>;
}

export interface EgressOptions {
  /** CIDR ranges that may be called although they are not public; for development and tests (none). */
  privateAllow?: readonly string[];
  /** CIDR ranges that may not be called, like the cluster's own (none). */
  deny?: readonly string[];
  /** Ports of public addresses that may be called (80, 443). */
  ports?: readonly number[];
  /** (the operating system's) */
  resolve?: Resolver;
  /** The addresses of this machine, never called unless opened (those of its network interfaces). */
  ownAddresses?: () => readonly string[];
  /** Most bytes of an answer, decoded (5 MiB). */
  responseBytesMax?: number;
  /** Most calls of a tenant open at once (256). */
  openPerTenantMax?: number;
}

const REDIRECTS_MAX = 5;
const BODY_LEFT_BYTES_MAX = 64 * 1024;

/** Makes the egress of a process. @throws CS_VALIDATION_FAILED when a range is not CIDR */
export function createEgress(options: EgressOptions = {}): Egress {
  const { responseBytesMax = LIMITS.httpResponseBytesMax, openPerTenantMax = 256 } = options;
  const judgeOf = (ports: AddressJudgeOptions["ports"]) =>
    createAddressJudge({
      privateAllow: options.privateAllow ?? [],
      deny: options.deny ?? [],
      ...(ports && { ports }),
      ownAddresses: options.ownAddresses ?? interfaceAddresses,
    });
  const judge = judgeOf(options.ports);
  const anyPortJudge = judgeOf("any");
  let agents: Promise<Agents> | undefined;
  let closed = false;
  const opened = (): Promise<Agents> => {
    if (closed) throw failed("the process ends");
    return (agents ??= openAgents(judge, anyPortJudge, options.resolve).catch((error: unknown) => {
      agents = undefined;
      throw error;
    }));
  };
  const open = new Map<string, number>();

  async function travel(
    request: EgressRequest,
    policy: EgressPolicy,
    signal: AbortSignal,
  ): Promise<EgressResponse> {
    const permit = permitOf(policy.grants);
    const check = (url: string, method: EgressMethod): CheckedUrl =>
      checkEgressUrl(url, { judge, anyPortJudge, permit, method });
    let target = check(request.url, request.method);
    const journey: Journey = {
      url: target.url,
      method: request.method,
      headers: checkRequestHeaders(request.headers),
      body: request.body,
    };
    journey.headers[DEPTH_HEADER] = String(policy.depth);
    const { agent, anyPortAgent } = await opened();
    for (let hops = 0; ; hops += 1) {
      const answer = await hop(journey, target.listedPort ? anyPortAgent : agent, policy, hops, signal);
      const location = redirectTarget(answer.statusCode, answer.headers);
      if (location === undefined || request.redirect === "manual") {
        return await finish(journey, answer, policy);
      }
      await answer.body.dump({ limit: BODY_LEFT_BYTES_MAX, signal });
      if (request.redirect === "error") throw failed("the host redirects, which the call does not allow");
      if (hops === REDIRECTS_MAX) throw failed(`more than ${REDIRECTS_MAX} redirects`);
      const next = URL.parse(location, journey.url)?.href ?? location;
      target = check(next, methodAfter(journey.method, answer.statusCode));
      followRedirect(journey, target.url, answer.statusCode);
    }
  }

  async function hop(
    journey: Journey,
    dispatcher: Dispatcher,
    policy: EgressPolicy,
    hops: number,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { url, method, body } = journey;
    policy.onBytes(method.length + url.href.length + headerBytes(journey.headers) + (body?.length ?? 0));
    const headers = (await policy.fillHeaders?.(url, journey.headers, hops)) ?? journey.headers;
    const { request: send } = await import("undici");
    const answer = await send(url, { dispatcher, method, headers, body: body ?? null, signal });
    // A body that is given up fails; where nobody listens that would end the process.
    answer.body.on("error", () => undefined);
    try {
      policy.onBytes(headerBytes(answer.headers));
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
    return answer;
  }

  async function finish(
    journey: Journey,
    answer: Dispatcher.ResponseData,
    policy: EgressPolicy,
  ): Promise<EgressResponse> {
    const empty = journey.method === "HEAD" || answer.statusCode === 204 || answer.statusCode === 304;
    const gzip = !empty && isGzip(answer);
    const length = Number(answer.headers["content-length"] ?? 0);
    if (!empty && length > responseBytesMax) {
      answer.body.destroy();
      throw new PlatformError(
        "CS_PAYLOAD_TOO_LARGE",
        `cs.http.fetch: the answer is over ${responseBytesMax} bytes`,
      );
    }
    const limits = { gzip, bytesMax: responseBytesMax, onBytes: policy.onBytes };
    const body = await readCappedBody(answer.body, limits);
    const headers = flattenResponseHeaders(answer.headers, gzip);
    const whole: EgressResponse = { status: answer.statusCode, headers, body, url: journey.url.href };
    const cookies = answer.headers["set-cookie"];
    if (Array.isArray(cookies)) whole.cookies = cookies;
    return whole;
  }

  return {
    async fetch(request, policy) {
      const { tenant } = policy;
      const others = open.get(tenant) ?? 0;
      if (others >= openPerTenantMax) {
        throw new PlatformError(
          "CS_RATE_LIMITED",
          `cs.http.fetch: ${openPerTenantMax} calls are open already`,
        );
      }
      open.set(tenant, others + 1);
      const late = new AbortController();
      const timer = setTimeout(
        () => late.abort(failed(`no answer within ${request.timeoutMs} ms`)),
        request.timeoutMs,
      );
      try {
        return await travel(request, policy, late.signal);
      } catch (error) {
        throw late.signal.aborted ? late.signal.reason : asPlatformError(error);
      } finally {
        clearTimeout(timer);
        const left = (open.get(tenant) ?? 1) - 1;
        if (left === 0) open.delete(tenant);
        else open.set(tenant, left);
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      const left = await agents;
      await Promise.all([left?.agent.destroy(), left?.anyPortAgent.destroy()]);
    },
  };
}

interface Agents {
  agent: Agent;
  /** For ports that a version lists by number: whoever lists none never gets here. */
  anyPortAgent: Agent;
}

/** With the first call out: the client takes its time to load, and most processes never call anybody. */
async function openAgents(
  judge: AddressJudge,
  anyPortJudge: AddressJudge,
  resolve: Resolver | undefined,
): Promise<Agents> {
  const { createCheckedAgent } = await import("./checked-agent.ts");
  const agentOf = (by: AddressJudge): Agent => createCheckedAgent({ judge: by, ...(resolve && { resolve }) });
  return { agent: agentOf(judge), anyPortAgent: agentOf(anyPortJudge) };
}

// The grants of a version are the same object for every call.
const permits = new WeakMap<HttpGrants, HttpPermit>();
function permitOf(grants: HttpGrants): HttpPermit {
  let permit = permits.get(grants);
  if (permit === undefined) permits.set(grants, (permit = createHttpPermit(grants)));
  return permit;
}

const interfaceAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));

function isGzip(answer: Dispatcher.ResponseData): boolean {
  const header = answer.headers["content-encoding"];
  const encoding = (Array.isArray(header) ? header.join(",") : (header ?? "")).trim().toLowerCase();
  if (encoding === "" || encoding === "identity") return false;
  if (encoding === "gzip" || encoding === "x-gzip") return true;
  answer.body.destroy();
  throw failed(`the answer is encoded as ${JSON.stringify(encoding.slice(0, 40))}; only gzip is read`);
}

/** Tells what went wrong without addresses: a connection error names the one it tried. */
function asPlatformError(error: unknown): PlatformError {
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 5;
    cause = cause.cause, depth += 1
  ) {
    if (cause instanceof PlatformError) return cause;
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown fault";
  return failed(`the call failed (${code.slice(0, 60)})`, error);
}

const failed = (message: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_RUNTIME_EGRESS_FAILED", `cs.http.fetch: ${message}`, { cause });
