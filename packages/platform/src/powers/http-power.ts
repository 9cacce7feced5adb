import { HTTP_METHODS, LIMITS, PlatformError } from "@sous/contract";
import type { Egress, EgressRequest } from "./create-egress.ts";
import type { EgressMethod } from "./follow-redirect.ts";
import { fillSecrets, refusePlaceholders } from "./fill-secrets.ts";
import type { PowerScope } from "./host-powers.ts";
import type { SecretReader } from "../secrets/secret-vault.ts";
import type { VersionSecrets } from "./version-secrets.ts";
import {
  badArgument,
  capabilityDenied,
  type Options,
  optionsArgument,
  textArgument,
} from "./parse-arguments.ts";

export interface HttpPowerOptions {
  egress: Egress;
  /** Epoch milliseconds now. */
  clock(): number;
  /** The secrets of the version, where it has any. */
  secrets?: VersionSecrets | undefined;
  reader: SecretReader;
}

const CALL = "cs.http.fetch";
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const REDIRECTS = ["follow", "manual", "error"] as const;

/**
 * Answers `cs.http.fetch(url, {method, headers, body, isBase64Encoded, timeoutMs, redirect})` with
 * `{status, headers, cookies, body, isBase64Encoded: true, url}` as JSON text; `cookies` only where there are several.
 */
export async function callHttp(
  options: HttpPowerOptions,
  scope: PowerScope,
  args: readonly unknown[],
): Promise<string> {
  const { http: grants } = scope.capabilities;
  const timeoutMaxMs = grants.timeout_ms;
  const url = textArgument(CALL, "url", args[0]);
  const wanted = optionsArgument(CALL, "options", args[1]);
  if (grants.allow_hosts.length === 0 && (grants.allow ?? []).length === 0) {
    throw capabilityDenied(CALL, "no host is allowed", "list the host in capabilities.http.allowHosts");
  }
  await takeTurn(scope);
  try {
    return await send(options, scope, url, wanted, timeoutMaxMs);
  } finally {
    giveTurn(scope);
  }
}

/** Waits until the activation may have one more call open. */
async function takeTurn(scope: PowerScope): Promise<void> {
  if (scope.openFetches >= scope.budgets.open_fetches) {
    // Whoever ends hands its place on: the count stays.
    await new Promise<void>((begin) => (scope.waitingFetches ??= []).push(begin));
    return;
  }
  scope.openFetches++;
  if (scope.openFetches > scope.openFetchesPeak) scope.openFetchesPeak = scope.openFetches;
}

function giveTurn(scope: PowerScope): void {
  const next = scope.waitingFetches?.shift();
  if (next === undefined) scope.openFetches--;
  else next();
}

async function send(
  options: HttpPowerOptions,
  scope: PowerScope,
  url: string,
  wanted: Options,
  timeoutMaxMs: number,
): Promise<string> {
  const { http: grants } = scope.capabilities;
  const leftMs = scope.deadlineMs - options.clock();
  const timeoutMs = Math.floor(Math.min(readTimeout(wanted) ?? timeoutMaxMs, timeoutMaxMs, leftMs));
  if (timeoutMs < 1) throw new PlatformError("CS_RUNTIME_EGRESS_FAILED", `${CALL}: no time is left`);
  const method = readMethod(wanted);
  const request: EgressRequest = {
    url,
    method,
    headers: optionsArgument(CALL, "headers", wanted.get("headers")),
    body: readBody(wanted, method),
    redirect: oneOf("redirect", REDIRECTS, wanted.get("redirect")) ?? "follow",
    timeoutMs,
  };
  const { secrets, reader } = options;
  const bound = secrets?.hasBound === true ? secrets : undefined;
  if (bound !== undefined) refusePlaceholders(request);
  const answer = await options.egress.fetch(request, {
    tenant: scope.tenant,
    grants,
    depth: scope.depth + 1,
    onBytes(bytes) {
      scope.egressBytes += bytes;
      if (scope.egressBytes > scope.budgets.egress_bytes) throw egressUsedUp(scope.budgets.egress_bytes);
    },
    ...(bound && {
      fillHeaders: (url, headers, hop) => fillSecrets({ secrets: bound, reader, url, headers, hop }),
    }),
  });
  const { status, headers, cookies, body } = answer;
  return JSON.stringify({
    status,
    headers,
    cookies,
    body: body.toString("base64"),
    isBase64Encoded: true,
    url: answer.url,
  });
}

const egressUsedUp = (most: number): PlatformError =>
  new PlatformError(
    "CS_RUNTIME_BUDGET_EXCEEDED",
    `${CALL}: the activation used up its ${most} bytes of calls out; raise budgets.egressBytes in manifest.json`,
    { details: { budget: "egress_bytes", limit: most } },
  );

function readMethod(wanted: Options): EgressMethod {
  const value = wanted.get("method") ?? "GET";
  return oneOf("method", HTTP_METHODS, typeof value === "string" ? value.toUpperCase() : value) ?? "GET";
}

function readTimeout(wanted: Options): number | undefined {
  const value = wanted.get("timeoutMs");
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value >= 1) return value;
  throw badArgument(CALL, "timeoutMs must be a number of milliseconds from 1 on");
}

function readBody(wanted: Options, method: EgressMethod): Buffer | undefined {
  const value = wanted.get("body");
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw badArgument(CALL, "body must be a string; use JSON.stringify");
  if (method === "GET" || method === "HEAD") throw badArgument(CALL, `${method} takes no body`);
  const base64 = wanted.get("isBase64Encoded") === true;
  if (base64 && !BASE64.test(value)) throw badArgument(CALL, "body is not base64");
  const body = Buffer.from(value, base64 ? "base64" : "utf8");
  if (body.length > LIMITS.httpRequestBytesMax) {
    throw new PlatformError(
      "CS_PAYLOAD_TOO_LARGE",
      `${CALL}: body is over ${LIMITS.httpRequestBytesMax} bytes`,
    );
  }
  return body;
}

function oneOf<T extends string>(name: string, allowed: readonly T[], value: unknown): T | undefined {
  if (value === undefined || value === null) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw badArgument(CALL, `${name} must be one of ${allowed.join(", ")}`);
  return found;
}
