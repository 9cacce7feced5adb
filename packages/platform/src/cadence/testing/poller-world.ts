import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryCodeQ } from "@sous/codeq";
import { type CadenceWorkerRecord, type Invocation, LIMITS, TOPICS } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import type { InvocationCodeQ } from "../../activations/invocation-queue.ts";
import type { InvocationReply } from "../../activations/invocation-reply.ts";
import { createQueuedActivations } from "../../activations/queued-activations.ts";
import { CADENCE_WORKER_KIND } from "../../cadence-workers/worker-records.ts";
import { createCatalog } from "../../catalog/create-catalog.ts";
import { publishSample } from "../../catalog/testing/publish-sample.ts";
import type { CadencePoller } from "../cadence-poller.ts";
import { createCadencePoller } from "../create-cadence-poller.ts";
import { createCadenceServer } from "../grpc/cadence-server.ts";
import { type MockCadence, startMockCadence } from "./mock-cadence.ts";

const KEY = { tenant: "t_default", namespace: "default" };
const WORKERS_MAX = 10;
const REFRESH_MS = 100;
const PATIENCE_MS = 10_000;

/** What pollers of Cadence stand between: its server, a store and a queue, without anybody who runs functions. */
export interface PollerWorld extends AsyncDisposable {
  readonly cadence: MockCadence;
  readonly store: Store;
  readonly codeq: InvocationCodeQ;
  /** What pollers reported. */
  readonly faults: unknown[];
  /** Writes a worker down; it runs the function `work` for activities of type `Work`. */
  createWorker(fields: Partial<CadenceWorkerRecord> & { name: string }): Promise<void>;
  deleteWorker(name: string): Promise<void>;
  /** Starts a poller over the store and the queue, as one of several processes would. */
  startPoller(): Promise<CadencePoller>;
  /** Takes what is queued, as an invoker would, and never ends it. @param begin hears of each activation */
  runFunctions(begin: (activationId: string) => void): Promise<AsyncDisposable>;
}

export async function startPollerWorld(): Promise<PollerWorld> {
  const stack = new AsyncDisposableStack();
  const cadence = stack.use(await startMockCadence());
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const codeq: InvocationCodeQ = stack.use(
    await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now, journal: store.journal }),
  );
  const authz = { invoke_http_roles: [], invoke_schedule_roles: [], invoke_cadence_roles: ["role:cadence"] };
  await publishSample(store, { ...KEY, name: "work" }, Date.now(), { authz });
  const catalog = createCatalog({ store, clock: Date.now, random: Math.random });
  const queued = createQueuedActivations({ codeq, activations: store.activations, tier: "isolate" });
  const faults: unknown[] = [];
  let createdMs = Date.now();
  return {
    cadence,
    store,
    codeq,
    faults,
    async createWorker(fields) {
      const nowMs = ++createdMs;
      const record: CadenceWorkerRecord = {
        ...KEY,
        domain: "shop",
        tasklist: fields.name,
        worker_id: fields.name,
        activity_map: { Work: { function: "work" } },
        pollers: { activity: 1 },
        limits: { max_inflight_tasks: 16 },
        result: "body",
        enabled: true,
        created_at_ms: nowMs,
        updated_at_ms: nowMs,
        ...fields,
      };
      await store.resources.create(CADENCE_WORKER_KIND, record, JSON.stringify(record), WORKERS_MAX);
    },
    async deleteWorker(name) {
      await store.resources.delete(CADENCE_WORKER_KIND, { ...KEY, name });
    },
    async startPoller() {
      const options = {
        server: createCadenceServer({ url: cadence.url, token: "", clientVersion: "1" }),
        resources: store.resources,
        activations: store.activations,
        tier: "isolate",
        domains: [],
        refreshMs: REFRESH_MS,
        shared: true,
        inputBytesMax: LIMITS.cadenceInputBytesMax,
        asyncDepthMax: LIMITS.asyncDepthMax,
        heartbeatsPerSecond: LIMITS.cadenceHeartbeatsPerSecond,
        cancel: () => Promise.resolve(),
        findActivation: async (tenant: string, id: string) =>
          (await store.activations.get(tenant, id)) ?? (await queued.get(tenant, id)),
        meter: { polled: () => {}, ended: () => {}, heartbeat: () => {}, fault: () => {} },
        clock: Date.now,
        random: Math.random,
        onFault: (error: unknown) => void faults.push(error),
      };
      return stack.use(await createCadencePoller({ ...options, codeq, catalog, store }));
    },
    async runFunctions(begin) {
      const subscription = await codeq.consume({
        topic: TOPICS.invoke,
        leaseMs: 60_000,
        capacity: () => 100,
        accepts: () => true,
        deliver: ({ message }) => begin(message.id),
        onExpired: () => {},
      });
      return { [Symbol.asyncDispose]: () => subscription.close() };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Waits until a condition holds. @throws when it does not within ten seconds */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(5);
  }
}
