import { randomUUID } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import {
  DEFAULT_NAMESPACE,
  type FunctionError,
  type FunctionResult,
  type Invocation,
  LIMITS,
  PlatformError,
  type VersionRecord,
} from "@sous/contract";
import { createIsolateDriver, type SandboxOutcome } from "@sous/sandbox";
import { createSqliteStore } from "@sous/store";
import { admitLine } from "../activations/log-budget.ts";
import { buildBundle } from "../bundle/build-bundle.ts";
import { prepareProgram, type RunnableProgram } from "../bundle/prepare-program.ts";
import { readBundle } from "../bundle/read-bundle.ts";
import { createTypeStripper } from "../bundle/type-stripper.ts";
import { mergeVersionConfig } from "../control/merge-version-config.ts";
import { contextJson, sharedContextJson } from "../invoker/context-json.ts";
import { powerScope } from "../invoker/power-scope.ts";
import { programOf } from "../invoker/program-of.ts";
import { createEgress } from "../powers/create-egress.ts";
import { createHostPowers } from "../powers/create-host-powers.ts";
import { type ObservedPowers, type ObserveMode, observePowers } from "../powers/observe-powers.ts";
import { sanitiseLogLine } from "../powers/sanitise-log-line.ts";

const LOCAL_TENANT = "t_local00";
/** A run without a platform has no store of secrets. */
const NO_SECRETS = {
  read: () => Promise.reject(new PlatformError("CS_SECRET_NOT_FOUND", "a local run has no secrets")),
};
const SKIPPED = new Set(["node_modules", ".git"]);

export interface LocalRunOptions {
  /** Absolute path of the folder with manifest.json. */
  folder: string;
  /** Name the function has in `ctx.function`. */
  name: string;
  event: unknown;
  /** Instead of the manifest's, in milliseconds. */
  timeoutMs?: number;
  /** Instead of what the manifest allows: note what is asked for, and deny it, or let keys and topics through. */
  observe?: ObserveMode;
}

/** One activation in the platform's own runtime, without a platform. */
export interface LocalRun {
  status: SandboxOutcome["status"];
  result?: FunctionResult;
  error?: FunctionError;
  /** Lines as an activation's log has them: `[level] text`. */
  logs: string[];
  duration_ms: number;
  timings: Record<string, number>;
  /** What it asked for, where that was observed. */
  observed?: ObservedPowers;
  /** What it used of its budgets, by their names in an activation record; absent when nothing ran. */
  usage?: Record<string, number>;
}

/**
 * Runs a function of a folder once: the same bundle rules, sandbox, powers and limits as on a server, with an
 * empty kv that is thrown away.
 * @throws CS_VALIDATION_… when the folder is no bundle
 */
export async function runLocally(options: LocalRunOptions): Promise<LocalRun> {
  const { folder, name, event, timeoutMs, observe } = options;
  const bundle = buildBundle(await readFolder(folder));
  await using stripper = createTypeStripper();
  const program = await prepareProgram({ sha256: bundle.sha256, contents: readBundle(bundle.tar), stripper });
  if (!program.ok) return { status: "error", error: program.error, logs: [], duration_ms: 0, timings: {} };
  const config = mergeVersionConfig(
    bundle.manifest,
    timeoutMs === undefined ? {} : { timeout_ms: timeoutMs },
    { tenant: LOCAL_TENANT, namespace: DEFAULT_NAMESPACE },
  );
  const { runtime, entry, handler } = bundle.manifest;
  const version: VersionRecord = {
    version: 1,
    sha256: bundle.sha256,
    size_bytes: bundle.tar.byteLength,
    runtime,
    entry,
    handler,
    config,
    published_at_ms: Date.now(),
    published_by: "local",
  };
  return await execute(invocationOf(name, event, config.timeout_ms), version, program, observe);
}

async function execute(
  invocation: Invocation,
  version: VersionRecord,
  program: RunnableProgram,
  observe: ObserveMode | undefined,
): Promise<LocalRun> {
  await using store = await createSqliteStore({ path: ":memory:" });
  const real = createHostPowers({
    kv: store.kv,
    publish: async () => {},
    egress: createEgress(),
    secrets: NO_SECRETS,
    clock: Date.now,
  });
  const observer = observe && observePowers(real, observe);
  await using powers = observer ?? real;
  await using driver = await createIsolateDriver({
    stems: 0,
    pairs: 1,
    pairMemoryMb: version.config.memory_mb,
  });
  const sandbox = await driver.create({ tenant: LOCAL_TENANT });
  const logs: string[] = [];
  const begunMs = Date.now();
  // The wait for a process is not the function's: its time starts here.
  invocation.deadline_ms = begunMs + version.config.timeout_ms;
  const scope = powerScope(invocation, version);
  const log = { logBytes: 0, logBytesMax: scope.budgets.log_bytes, logsTruncated: false };
  let hostCalls = 0;
  const outcome = await new Promise<SandboxOutcome>((resolve) => {
    sandbox.start(
      {
        activationId: invocation.activation_id,
        program: programOf(invocation, version, program),
        contextJson: contextJson(invocation),
        sharedContextJson: sharedContextJson(invocation, version),
        eventJson: invocation.event_json,
        deadlineMs: invocation.deadline_ms,
      },
      {
        onHostCall(call, answer) {
          hostCalls++;
          void powers.call(scope, call).then(answer);
        },
        onLog(level, text) {
          const line = admitLine(log, sanitiseLogLine(`[${level}] ${text}`));
          if (line !== undefined) logs.push(line);
        },
        onOutcome: resolve,
      },
    );
  });
  const { status, result, error, timings } = outcome;
  const run: LocalRun = { status, logs, duration_ms: Date.now() - begunMs, timings: { ...timings } };
  run.usage = {
    cpu_ms: Math.round(outcome.cpuMs * 1000) / 1000,
    memory_peak_bytes: outcome.memoryPeakBytes,
    external_memory_bytes: outcome.externalMemoryBytes,
    log_bytes: log.logBytes,
    host_calls: hostCalls,
    egress_bytes: scope.egressBytes,
    timers: outcome.timersPeak,
    open_fetches: scope.openFetchesPeak,
  };
  if (result !== undefined) run.result = result;
  if (error !== undefined) run.error = error;
  if (observer !== undefined) run.observed = observer.observed();
  return run;
}

function invocationOf(name: string, event: unknown, timeoutMs: number): Invocation {
  const now = Date.now();
  return {
    activation_id: randomUUID(),
    request_id: "req_local000",
    tenant: LOCAL_TENANT,
    namespace: DEFAULT_NAMESPACE,
    ref: { function: name, version: 1 },
    trigger: { type: "api", source: {} },
    principal: { sub: "local", roles: ["admin"] },
    deadline_ms: now + timeoutMs,
    mode: "sync",
    expires_at_ms: now + timeoutMs,
    attempt: 1,
    enqueued_at_ms: now,
    new_id: true,
    strict: false,
    event_json: JSON.stringify(event ?? null),
  };
}

async function readFolder(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const inside = relative(folder, path).split(sep).join("/");
    if (!entry.isFile() || inside.split("/").some((part) => SKIPPED.has(part) || part.startsWith(".")))
      continue;
    const content = await readFile(path);
    bytes += content.byteLength;
    if (bytes > LIMITS.bundleBytesMax) {
      throw new PlatformError(
        "CS_VALIDATION_BUNDLE_TOO_LARGE",
        `${folder} holds more than ${LIMITS.bundleBytesMax} bytes`,
      );
    }
    files.set(inside, content);
  }
  return files;
}
