import { randomBytes } from "node:crypto";
import { LIMITS, type Limits } from "@sous/contract";
import { createQueuedActivations } from "../activations/queued-activations.ts";
import { environment } from "../config/environment.ts";
import { loadConfig } from "../config/load-config.ts";
import { createControl } from "../control/create-control.ts";
import { createFrontServer } from "../http/front-server.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createTiming } from "../schedules/timing.ts";
import { openSecretKeys } from "../secrets/secret-keys.ts";
import { createSecretVault } from "../secrets/secret-vault.ts";
import { openExecution } from "./execution.ts";
import { localGuard, openFrontDoor } from "./front-door.ts";
import { firstToken, openAuth } from "./open-auth.ts";
import { isEmbedded } from "./open-codeq.ts";
import { observe } from "./observe.ts";
import { openRunSubmitter, openScheduler } from "./open-scheduler.ts";
import { openStore } from "./open-store.ts";
import { createMeter } from "./platform-meter.ts";
import { readIfThere } from "./read-if-there.ts";
import { recover } from "./recover.ts";

const SWEEP_MS = 60_000;

export interface StartOptions {
  mode: "dev" | "serve";
  /** By dotted key of the configuration; `config` is the path of the file. */
  flags: object;
  /** (that of this process) */
  env?: Readonly<Record<string, string | undefined>>;
}

/** A platform that runs in this process. */
export interface Platform {
  readonly url: string;
  readonly auth: string;
  readonly data: string;
  /** What an operator should know at start, a line each. */
  readonly warnings: readonly string[];
  /** The first token of a new installation, shown once. */
  readonly firstToken: string | undefined;
  /** Takes no more work, ends what runs within `drain_ms`, closes everything. */
  close(): Promise<void>;
}

/**
 * Starts the whole platform in this process: control, gateway, queue, invoker, scheduler and sandboxes on one port.
 * @throws CS_VALIDATION_FAILED for a configuration that cannot be, or that asks for sandbox hosts to be closed further
 *   than this machine can; CS_STORE_UNAVAILABLE
 */
export async function startPlatform({ mode, flags, env = environment() }: StartOptions): Promise<Platform> {
  const given = flags as Readonly<Record<string, unknown>>;
  const { config } = loadConfig({ mode, flags: given, env, readFile: readIfThere });
  const limits = { ...LIMITS, ...config.limits } as Limits;
  const now = Date.now;
  const logger = createLogger({
    service: "all",
    level: config.log_level,
    clock: now,
    // `cs dev` says on standard output what is in service, as data with --json.
    ...(mode === "dev" ? { destination: process.stderr } : {}),
  });
  const metrics = createMetrics();
  const onFault = (error: unknown, request_id?: string): void => {
    logger.error({ error, ...(request_id === undefined ? {} : { request_id }) }, "a fault of the platform");
  };
  const warnings = warningsOf(config.egress.private_allow);
  const onWarning = (text: string): void => void warnings.push(text);
  const stack = new AsyncDisposableStack();
  try {
    const holdsQueue = isEmbedded(config.codeq);
    const opened = await openStore({ url: config.store, limits, now, holdsQueue, onFault, onWarning });
    stack.defer(() => opened.lock?.[Symbol.dispose]());
    const store = stack.use(opened.store);
    const auth = stack.use(openAuth(config, store.tokens, now));
    const issued = config.auth === "local:" ? await firstToken(store.tokens, now) : undefined;
    // What waits in a server outlives this process, and comes back by itself.
    const recovered = holdsQueue ? await recover(store, now()) : 0;
    const secrets = createSecretVault({
      store: store.secrets,
      keys: openSecretKeys({ configured: config.secrets_key, folder: config.data }),
      clock: now,
      bytesMax: limits.secretBytesMax,
    });
    const meter = createMeter(metrics, logger);
    const execution = stack.use(
      await openExecution({ config, limits, store, secrets, meter, now, onFault, onWarning, logger }),
    );
    await execution.ensureClosed();
    const gateway = await openFrontDoor({ config, limits, store, auth, execution, metrics, now, onFault });
    let draining = false;
    const timing = createTiming();
    const runs = openRunSubmitter(execution, store, limits, now);
    const scheduler = stack.use(
      openScheduler({ config, store, runs, timing, metrics, logger, now, onFault }),
    );
    const control = stack.use(
      await createControl({
        store,
        catalog: execution.catalog,
        bundles: execution.tiers,
        auth,
        live: execution.live,
        codeq: execution.codeq,
        queued: createQueuedActivations(execution.codeq, execution.fleet.tier),
        secrets,
        timing,
        runs,
        onScheduleChange: () => scheduler.wake(),
        metrics,
        logger,
        clock: now,
        randomBytes,
        limits,
        gateway,
        draining: () => draining,
        metricsPublic: config.metrics_public,
        durability: config.durability,
        approve: config.publish.approve,
        runsElsewhere: !isEmbedded(config.codeq),
      }),
    );
    observe(metrics, execution);
    const guard = localGuard(config.auth);
    const front = createFrontServer({
      routes: [gateway],
      fallback: (request, response) => control.handle(request, response),
      onFault,
      ...(guard === undefined ? {} : { guard }),
    });
    const sweeper = setInterval(() => void store.sweep(now()).catch(onFault), SWEEP_MS);
    sweeper.unref();
    const { url } = await front.listen({ host: config.host, port: config.port });
    if (recovered > 0) logger.warn({ recovered }, "activations that a crash left open were ended");
    const owned = stack.move();
    return {
      url,
      auth: config.auth,
      data: config.data,
      warnings,
      firstToken: issued,
      async close() {
        draining = true;
        clearInterval(sweeper);
        await control[Symbol.asyncDispose]();
        await scheduler[Symbol.asyncDispose]();
        const closing = front.close(config.drain_ms);
        await execution.drain(config.drain_ms);
        await closing;
        await owned.disposeAsync();
      },
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function warningsOf(privateAllow: readonly string[]): string[] {
  if (privateAllow.length === 0) return [];
  return [`functions may reach the private ranges ${privateAllow.join(", ")} (egress.private_allow)`];
}
