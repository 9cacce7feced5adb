import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/config-schema.ts";
import { environment } from "../config/environment.ts";
import { loadConfig } from "../config/load-config.ts";
import { isApart, rolesOf } from "../config/role.ts";
import type { FrontServer } from "../http/front-server.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { checkRoles } from "./check-roles.ts";
import { isEmbedded } from "./open-codeq.ts";
import { openServices, type Services } from "./open-services.ts";
import { openStore } from "./open-store.ts";
import { readIfThere } from "./read-if-there.ts";
import { limitsOf, type ProcessContext } from "./process-context.ts";

/** What closing may take beyond the times for its notice and for what runs, milliseconds. */
const CLOSE_PATIENCE_MS = 5000;

export interface StartOptions {
  mode: "dev" | "serve";
  /** By dotted key of the configuration; `config` is the path of the file. */
  flags: object;
  /** (that of this process) */
  env?: Readonly<Record<string, string | undefined>>;
}

/** A platform, or some roles of one, that runs in this process. */
export interface Platform {
  readonly url: string;
  readonly auth: string;
  readonly data: string;
  /** The roles of this process; `all` where it is a whole platform. */
  readonly role: string;
  /** What an operator should know at start, a line each. */
  readonly warnings: readonly string[];
  /** The first token of a new installation, shown once. */
  readonly firstToken: string | undefined;
  /** Takes no more work, ends what runs within `drain_ms`, closes everything. */
  close(): Promise<void>;
}

/**
 * Starts the roles that are configured in this process, on one port; without any other word the whole platform:
 * control, gateway, queue, invoker, scheduler and sandboxes.
 * @throws CS_VALIDATION_FAILED for a configuration that cannot be, or that asks for sandbox hosts to be closed further
 *   than this machine can; CS_STORE_UNAVAILABLE, CS_CODEQ_PUBLISH_FAILED
 */
export async function startPlatform({ mode, flags, env = environment() }: StartOptions): Promise<Platform> {
  const given = flags as Readonly<Record<string, unknown>>;
  const { config } = loadConfig({ mode, flags: given, env, readFile: readIfThere });
  const roles = rolesOf(config.role);
  const warnings = [...checkRoles(config, roles), ...warningsOf(config.egress.private_allow)];
  const role = isApart(roles) ? [...roles].join(",") : "all";
  const logger = createLogger({
    service: role,
    level: config.log_level,
    clock: Date.now,
    // `cs dev` says on standard output what is in service, as data with --json.
    ...(mode === "dev" ? { destination: process.stderr } : {}),
  });
  let draining = false;
  const context: ProcessContext = {
    config,
    roles,
    limits: limitsOf(config),
    now: Date.now,
    metrics: createMetrics(),
    logger,
    draining: () => draining,
    onFault(error, request_id) {
      logger.error({ error, ...(request_id === undefined ? {} : { request_id }) }, "a fault of the platform");
    },
    onWarning: (text) => void warnings.push(text),
  };
  const stack = new AsyncDisposableStack();
  try {
    const opened = await openStore({
      url: config.store,
      holdsQueue: isEmbedded(config.codeq),
      ...context,
    });
    stack.defer(() => opened.lock?.[Symbol.dispose]());
    const services = stack.use(await openServices(context, stack.use(opened.store)));
    const { front } = services;
    const { url } = await front.listen({ host: config.host, port: config.port });
    await services.join(url);
    // Only its hash is kept: a start that fails must not have made it.
    const firstToken = await services.issueFirstToken();
    const owned = stack.move();
    return {
      url,
      auth: config.auth,
      data: config.data,
      role,
      warnings,
      firstToken,
      async close() {
        draining = true;
        const closed = drain(config, services, front).then(() => owned.disposeAsync());
        await inTime(closed, config, () => logger.error({}, "not everything could be closed in time"));
      },
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/**
 * Ends the work of a process: `/readyz` is red already, who asks it goes elsewhere; what comes meanwhile is served.
 * Then nothing is taken any more, and what runs may end.
 */
async function drain(
  { drain_ms, drain_notice_ms }: Config,
  services: Services,
  front: FrontServer,
): Promise<void> {
  // At once, but nobody waits for it here: the store may be away.
  void services.leave();
  const ticks = services.stopTicks();
  if (services.servesRequests && drain_notice_ms > 0) {
    front.announceClose();
    await sleep(drain_notice_ms);
  }
  await services.endStreams();
  if (services.servesRequests) await Promise.all([front.close(drain_ms), services.drain(drain_ms)]);
  else {
    // Nobody but its operator asks this process: it answers that it is leaving until it is gone.
    await services.drain(drain_ms);
    await front.close(0);
  }
  await ticks;
}

/** A server that says nothing any more must not keep the process: it is left behind after a while. */
async function inTime(
  closed: Promise<void>,
  { drain_ms, drain_notice_ms }: Config,
  onLate: () => void,
): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), drain_notice_ms + drain_ms + CLOSE_PATIENCE_MS);
  const first = await Promise.race([closed, late]);
  clearTimeout(timer);
  if (first === "late") onLate();
}

function warningsOf(privateAllow: readonly string[]): string[] {
  if (privateAllow.length === 0) return [];
  return [`functions may reach the private ranges ${privateAllow.join(", ")} (egress.private_allow)`];
}
