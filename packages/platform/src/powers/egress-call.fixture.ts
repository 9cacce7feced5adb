import assert from "node:assert/strict";
import { type HttpAllow, PlatformError } from "@sous/contract";
import type { Resolver } from "./checked-agent.ts";
import { createEgress, type EgressOptions, type EgressRequest } from "./create-egress.ts";
import { type LocalServer, startLocalServer } from "./local-server.fixture.ts";

// Machines that run the tests are busy; only the tests of time limits wait for less.
export const PATIENT_MS = 30_000;

export async function call(
  options: EgressOptions,
  url: string,
  over: Partial<EgressRequest> = {},
  hosts?: string[],
  allow?: HttpAllow[],
) {
  await using egress = createEgress(options);
  let bytes = 0;
  const request: EgressRequest = {
    url,
    method: "GET",
    headers: [],
    body: undefined,
    redirect: "follow",
    timeoutMs: PATIENT_MS,
    ...over,
  };
  const policy = {
    tenant: "t_default",
    depth: 1,
    grants: {
      allow_hosts: hosts ?? (allow ? [] : [URL.parse(url)?.hostname ?? ""]),
      ...(allow && { allow }),
    },
    onBytes: (count: number) => void (bytes += count),
  };
  const answer = await egress.fetch(request, policy);
  return { ...answer, text: answer.body.toString(), bytes };
}

export const local: EgressOptions = { privateAllow: ["127.0.0.1/32"] };
export const refusedWith =
  (code: string, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof PlatformError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
export const answering = (text: string): Promise<LocalServer> =>
  startLocalServer((_request, response) => response.end(text));
// The wrong family, on purpose: only the address may count.
export const resolvingTo =
  (address: string): Resolver =>
  async () => [{ address, family: 6 }];
export const failingWith =
  (code: string): Resolver =>
  () =>
    Promise.reject(Object.assign(new Error(code), { code }));
export const slowlyFailing: Resolver = () =>
  new Promise((_, reject) => setTimeout(() => reject(new Error("late")), 1000));
