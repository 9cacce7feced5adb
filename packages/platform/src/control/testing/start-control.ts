import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createMemoryCodeQ } from "@sous/codeq";
import { type Invocation, LIMITS, type Limits } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import type { InvocationReply } from "../../activations/invocation-reply.ts";
import { LiveRegistry } from "../../activations/live-registry.ts";
import type { Authenticator } from "../../auth/authenticator.ts";
import { createNoneAuthenticator } from "../../auth/none-authenticator.ts";
import { createBundleTiers } from "../../bundle/bundle-tiers.ts";
import { createStoreTier } from "../../bundle/store-tier.ts";
import { createCatalog } from "../../catalog/create-catalog.ts";
import { createFrontServer } from "../../http/front-server.ts";
import { createReadiness } from "../../http/readiness.ts";
import { createRunSubmitter } from "../../schedules/submit-run.ts";
import { createTiming } from "../../schedules/timing.ts";
import { openSecretKeys } from "../../secrets/secret-keys.ts";
import { createSecretVault } from "../../secrets/secret-vault.ts";
import { createLogger } from "../../telemetry/logger.ts";
import { createMetrics } from "../../telemetry/metrics.ts";
import type { ControlOptions } from "../control-context.ts";
import { createControl } from "../create-control.ts";

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  body: T;
}

export interface StartOptions extends Partial<Omit<ControlOptions, "auth" | "limits">> {
  auth?: (store: Store, clock: () => number) => Authenticator;
  limits?: { [Name in keyof Limits]?: number };
  /** Whether it is shutting down (no). */
  draining?: () => boolean;
}

/** Starts a control plane on a free port over an embedded store of its own. */
export async function startControl(overrides: StartOptions = {}) {
  const { auth, limits, draining = () => false, ...rest } = overrides;
  const state = { nowMs: Date.now() };
  const clock = () => state.nowMs;
  const store = await createSqliteStore({ path: ":memory:", now: clock });
  const codeq = await createMemoryCodeQ<Invocation, InvocationReply>({ journal: store.journal, clock });
  const live = new LiveRegistry();
  const keys = openSecretKeys({ configured: [randomBytes(32).toString("base64")], folder: "/nonexistent" });
  const secrets = createSecretVault({ store: store.secrets, keys, clock });
  const lines: string[] = [];
  const logger = createLogger({
    service: "control",
    level: "info",
    clock,
    destination: { write: (line: string) => void lines.push(line) },
  });
  const catalog = createCatalog({ store, clock, random: () => 0.5 });
  const runs = createRunSubmitter({
    codeq,
    activations: store.activations,
    catalog,
    limits: LIMITS,
    tier: "isolate",
    clock,
  });
  const readiness = createReadiness({
    checks: {
      store: { check: () => store.check(), silent: "CS_STORE_UNAVAILABLE" },
      codeq: { check: () => codeq.check(), silent: "CS_CODEQ_PUBLISH_FAILED" },
    },
    clock,
    draining,
  });
  const control = await createControl({
    store,
    readiness,
    catalog,
    bundles: createBundleTiers({
      tiers: [createStoreTier(store.versions)],
      bytesMax: LIMITS.bundleBytesMax,
      onFault: (error) => assert.fail(String(error)),
    }),
    timing: createTiming(),
    runs,
    auth: auth?.(store, clock) ?? createNoneAuthenticator(),
    live,
    codeq,
    secrets,
    metrics: createMetrics(),
    logger,
    clock,
    randomBytes,
    limits: { ...LIMITS, ...limits } as Limits,
    followIntervalMs: 20,
    ...rest,
  });
  const front = createFrontServer({ routes: [], fallback: control.handle });
  const { url } = await front.listen({ host: "127.0.0.1", port: 0 });

  return {
    url,
    store,
    codeq,
    live,
    state,
    lines,
    control,
    /** Sends JSON and reads JSON. */
    async call<T = Record<string, unknown>>(
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ): Promise<Answer<T>> {
      const response = await fetch(url + path, {
        method,
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: (text === "" ? null : JSON.parse(text)) as T,
      };
    },
    async [Symbol.asyncDispose]() {
      await control[Symbol.asyncDispose]();
      await front.close(0);
      await codeq[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}
