import { createBodyRoom } from "../http/read-body.ts";
import type { Store } from "@sous/store";
import type { Authenticator } from "../auth/authenticator.ts";
import type { BundleTiers } from "../bundle/bundle-tiers.ts";
import type { Control } from "../control/create-control.ts";
import { createFrontServer, type FrontServer, type RawRoute } from "../http/front-server.ts";
import { createReadiness, type Readiness, type ReadinessCheck } from "../http/readiness.ts";
import { answerNotServed, createServiceEndpoints } from "../http/service-endpoints.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import { createTiming } from "../schedules/timing.ts";
import { openSecretKeys } from "../secrets/secret-keys.ts";
import { createSecretVault, type SecretReader, type SecretWriter } from "../secrets/secret-vault.ts";
import { adoptJournal } from "./adopt-journal.ts";
import { type Execution, openExecution } from "./execution.ts";
import { localGuard, openFrontDoor } from "./front-door.ts";
import { observeBundles, observeExecution } from "./observe.ts";
import { firstToken, openAuth } from "./open-auth.ts";
import { openBundles } from "./open-bundles.ts";
import { type Cadence, openCadence } from "./open-cadence.ts";
import { isEmbedded } from "./open-codeq.ts";
import { type Members, openMembers } from "./open-members.ts";
import { openControl } from "./open-control.ts";
import { type Core, openCore } from "./open-core.ts";
import { type OpenEventSources, openEventSources, openWebhookDoor } from "./open-event-sources.ts";
import { openRunSubmitter, openScheduler } from "./open-scheduler.ts";
import { checkIdentity } from "./platform-identity.ts";
import { createMeter } from "./platform-meter.ts";
import type { ProcessContext } from "./process-context.ts";
import { recover } from "./recover.ts";

/** How long answers that Cadence does not have yet are waited for at the end; they are kept, too. */
const ANSWERS_MS = 2000;

/** The services of one process behind its HTTP server. */
export interface Services extends AsyncDisposable {
  readonly front: FrontServer;
  /** Whether others send requests here, and not only its operator. */
  readonly servesRequests: boolean;
  /** Makes the first token of a new installation, of which the store keeps only a hash. @returns it, this once */
  issueFirstToken(): Promise<string | undefined>;
  /** Becomes one of the cluster's processes, under an address. */
  join(url: string): Promise<void>;
  /** Tells the cluster that this process takes no more work. */
  leave(): Promise<void>;
  /** Gives the lease of the schedules back: another process may publish ticks at once. Takes no more tasks of Cadence. */
  stopTicks(): Promise<void>;
  /** Ends open event streams. */
  endStreams(): Promise<void>;
  /** Takes no more work from the queue, and waits until what runs has ended, at most `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}

/**
 * Opens what the roles of a process need, and nothing else: without an invoker no sandbox driver and no fleet, without
 * a gateway no way in, without control, gateway and event sources no authenticator, without control, invoker and event
 * sources no key of secrets.
 * @throws CS_VALIDATION_FAILED, CS_CODEQ_PUBLISH_FAILED, CS_STORE_UNAVAILABLE
 */
export async function openServices(context: ProcessContext, store: Store): Promise<Services> {
  const { config, roles, now } = context;
  const stack = new AsyncDisposableStack();
  try {
    await recoverOwn(context, store);
    const core = stack.use(await openCore({ ...context, store }));
    if (core.codeq.isShared) {
      await checkIdentity(context, core);
      await adoptJournal(context, core);
    }
    const vault =
      roles.has("control") || roles.has("invoker") || roles.has("event-sources")
        ? openVault(context, store)
        : undefined;
    const assets =
      vault !== undefined && (roles.has("control") || roles.has("invoker"))
        ? await openAssets(context, store, vault, stack)
        : undefined;
    const members = stack.use(await openMembers(context, core));
    const execution =
      assets !== undefined && roles.has("invoker")
        ? stack.use(await openInvoker(context, core, assets, members))
        : undefined;
    const events =
      vault !== undefined && roles.has("event-sources")
        ? stack.use(
            await openEventSources({
              ...context,
              core,
              secrets: vault,
              sharers: members.sharers("event-sources"),
            }),
          )
        : undefined;
    const { cadence, ...entry } = await openEntry(
      context,
      core,
      { assets, execution, events, members },
      stack,
    );
    const owned = stack.move();
    return {
      ...entry,
      async issueFirstToken() {
        if (roles.has("control") && config.auth === "local:") return await firstToken(store.tokens, now);
        return undefined;
      },
      join: (url) => members.join(url, execution),
      leave: () => members.leave(),
      async drain(timeoutMs) {
        const untilMs = now() + timeoutMs;
        // What it has begun needs the invoker, which may be this process's.
        await events?.drain(timeoutMs / 2);
        await execution?.drain(Math.max(0, untilMs - now()));
        await cadence?.drain(Math.min(timeoutMs, ANSWERS_MS));
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Opens where work comes from: the HTTP server with what answers there, and the ticks. */
async function openEntry(
  context: ProcessContext,
  core: Core,
  { assets, execution, events, members }: Opened,
  stack: AsyncDisposableStack,
): Promise<
  Pick<Services, "front" | "servesRequests" | "stopTicks" | "endStreams"> & { cadence: Cadence | undefined }
> {
  const { config, roles, limits, now, draining } = context;
  const auth: Authenticator | undefined =
    roles.has("control") || roles.has("gateway") || roles.has("event-sources")
      ? stack.use(await openAuth(config, core.store, now))
      : undefined;
  const bodies = createBodyRoom(limits.requestBodiesBytesMax);
  const gateway =
    auth !== undefined && roles.has("gateway")
      ? await openFrontDoor({
          ...context,
          core,
          auth,
          placement: members.placement,
          isEnding: () => !core.codeq.isShared && execution?.isDraining === true,
          sharers: members.sharers("gateway"),
          bodies,
        })
      : undefined;
  const webhooks =
    auth === undefined || events === undefined
      ? undefined
      : openWebhookDoor({
          ...context,
          core,
          auth,
          events,
          sharers: members.sharers("event-sources"),
          bodies,
        });
  const timing = createTiming();
  const runs = openRunSubmitter(core, limits, now);
  const scheduler: Scheduler | undefined = roles.has("scheduler")
    ? stack.use(await openScheduler({ ...context, store: core.store, runs, timing }))
    : undefined;
  const cadence = roles.has("cadence") ? stack.use(openCadence({ ...context, core })) : undefined;
  const readiness = createReadiness({ checks: checksOf(core, execution), clock: now, draining });
  const control =
    auth !== undefined && assets !== undefined && roles.has("control")
      ? stack.use(
          await openControl({
            context,
            core,
            auth,
            events,
            readiness,
            timing,
            runs,
            secrets: assets.vault,
            bundles: assets.tiers,
            members,
            onScheduleChange: () => scheduler?.wake(),
            onCadenceChange: () => cadence?.wake(),
          }),
        )
      : undefined;
  return {
    front: openFront(context, [gateway, webhooks], control, readiness),
    servesRequests: auth !== undefined,
    cadence,
    stopTicks: async () => {
      await Promise.all([scheduler?.[Symbol.asyncDispose](), cadence?.stop()]);
    },
    endStreams: async () => await control?.[Symbol.asyncDispose](),
  };
}

function openFront(
  { config, roles, metrics, onFault }: ProcessContext,
  ways: readonly (RawRoute | undefined)[],
  control: Control | undefined,
  readiness: Readiness,
): FrontServer {
  const endpoints =
    control === undefined
      ? createServiceEndpoints({ readiness, metrics, metricsPublic: config.metrics_public })
      : undefined;
  const guard = localGuard(config.auth);
  return createFrontServer({
    routes: [...ways, endpoints].filter((route) => route !== undefined),
    fallback: control?.handle ?? answerNotServed([...roles].join(",")),
    onFault,
    ...(guard === undefined ? {} : { guard }),
  });
}

/** What waits in a server outlives its processes, and comes back by itself; what waits in this one does not. */
async function recoverOwn({ config, now, logger }: ProcessContext, store: Store): Promise<void> {
  if (!isEmbedded(config.codeq)) return;
  const recovered = await recover(store, now());
  if (recovered > 0) logger.warn({ recovered }, "activations that a crash left open were ended");
}

async function openInvoker(
  context: ProcessContext,
  core: Core,
  { vault, tiers }: Assets,
  { id: member }: Members,
): Promise<Execution> {
  const { metrics, logger } = context;
  const meter = createMeter(metrics, logger);
  const execution = await openExecution({ ...context, core, tiers, secrets: vault, meter, member });
  try {
    await execution.ensureClosed();
  } catch (error) {
    await execution[Symbol.asyncDispose]();
    throw error;
  }
  observeExecution(metrics, execution);
  return execution;
}

/** What a process has besides its ways in. */
interface Opened {
  assets: Assets | undefined;
  execution: Execution | undefined;
  events: OpenEventSources | undefined;
  members: Members;
}

/** What belongs to functions, and neither ways in nor ticks have to do with: values of secrets, and bundles. */
interface Assets {
  vault: SecretReader & SecretWriter;
  tiers: BundleTiers;
}

async function openAssets(
  context: ProcessContext,
  store: Store,
  vault: Assets["vault"],
  stack: AsyncDisposableStack,
): Promise<Assets> {
  const { metrics } = context;
  const { tiers } = stack.use(await openBundles({ ...context, versions: store.versions }));
  observeBundles(metrics, tiers);
  return { vault, tiers };
}

function openVault({ config, limits, now }: ProcessContext, store: Store): Assets["vault"] {
  return createSecretVault({
    store: store.secrets,
    keys: openSecretKeys({ configured: config.secrets_key, folder: config.data }),
    clock: now,
    bytesMax: limits.secretBytesMax,
  });
}

function checksOf(
  { store, codeq }: Core,
  execution: Execution | undefined,
): Readonly<Record<string, ReadinessCheck>> {
  return {
    store: { check: () => store.check(), silent: "CS_STORE_UNAVAILABLE" },
    codeq: { check: () => codeq.check(), silent: "CS_CODEQ_PUBLISH_FAILED" },
    ...(execution === undefined
      ? {}
      : {
          sandbox: {
            check: () => execution.check().then(({ level }) => level),
            silent: "CS_RUNTIME_CRASHED",
          },
        }),
  };
}
