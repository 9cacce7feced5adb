import {
  type CadenceWorkerItem,
  type CadenceWorkerRecord,
  type CadenceWorkerReply,
  type CreateCadenceWorkerBody,
  type FunctionRef,
  LIMITS,
  type PatchCadenceWorkerBody,
  PlatformError,
} from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import { requireTriggerRole } from "../auth/authorize.ts";
import {
  CADENCE_PRINCIPAL,
  CADENCE_WORKER_KIND,
  mayTakeFrom,
  workerOf,
} from "../cadence-workers/worker-records.ts";
import { targetOf } from "../schedules/submit-run.ts";
import type { ControlContext } from "./control-context.ts";

/** How often a change is tried again that somebody else's change came before. */
const TRIES = 5;

/**
 * Creates a Cadence worker; it polls from now on.
 * @throws CS_VALIDATION_FAILED, CS_AUTHZ_DENIED for a domain the tenant may not have, CS_NOT_FOUND for a ref that names
 *   nothing, CS_CONFLICT, CS_PAYLOAD_TOO_LARGE
 */
export async function createWorker(
  context: ControlContext,
  { tenant, namespace }: { tenant: string; namespace: string },
  body: CreateCadenceWorkerBody,
): Promise<CadenceWorkerReply> {
  const nowMs = context.clock();
  const record: CadenceWorkerRecord = {
    tenant,
    namespace,
    pollers: { activity: 1 },
    limits: { max_inflight_tasks: LIMITS.cadenceInflightMax },
    result: "envelope",
    enabled: true,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
    ...body,
  };
  checkDomain(context, record);
  for (const ref of Object.values(record.activity_map)) await resolve(context, record, ref);
  const { resources } = context.store;
  const max = context.limits.cadenceWorkersPerNamespaceMax;
  await resources.create(CADENCE_WORKER_KIND, record, JSON.stringify(record), max);
  context.onCadenceChange();
  return describeWorker(context, { ...record, generation: 1 });
}

/**
 * Changes a Cadence worker; its polls start again, what it has taken goes on.
 * @throws as `createWorker`; CS_CONFLICT when others change it all the time
 */
export async function patchWorker(
  context: ControlContext,
  key: FunctionKey,
  body: PatchCadenceWorkerBody,
): Promise<CadenceWorkerReply> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const { generation, ...before } = await findWorker(context, key);
    const record: CadenceWorkerRecord = { ...before, ...body, updated_at_ms: context.clock() };
    if (body.domain !== undefined) checkDomain(context, record);
    // Whoever only pauses it must be able to, whatever has become of its functions.
    for (const ref of Object.values(body.activity_map ?? {})) await resolve(context, record, ref);
    const json = JSON.stringify(record);
    if (!(await context.store.resources.replace(CADENCE_WORKER_KIND, key, generation, json))) continue;
    context.onCadenceChange();
    return describeWorker(context, { ...record, generation: generation + 1 });
  }
  throw new PlatformError("CS_CONFLICT", `Cadence worker ${key.name} is being changed by others; try again`);
}

/** @throws CS_NOT_FOUND */
export async function findWorker({ store }: ControlContext, key: FunctionKey): Promise<CadenceWorkerItem> {
  const stored = await store.resources.get(CADENCE_WORKER_KIND, key);
  if (stored !== undefined) return workerOf(stored);
  throw notFound(key);
}

/** Deletes a Cadence worker; what it has taken goes on. @throws CS_NOT_FOUND */
export async function deleteWorker(context: ControlContext, key: FunctionKey): Promise<void> {
  if (!(await context.store.resources.delete(CADENCE_WORKER_KIND, key))) throw notFound(key);
  context.onCadenceChange();
}

/** @returns a worker with what will not work by the versions its refs mean now, a line each */
export async function describeWorker(
  context: ControlContext,
  worker: CadenceWorkerItem,
): Promise<CadenceWorkerReply> {
  const told = Object.entries(worker.activity_map).map(([type, ref]) =>
    warningOf(context, worker, type, ref),
  );
  const warnings = (await Promise.all(told)).filter((line) => line !== undefined);
  if (!context.hasCadence) {
    warnings.unshift("nothing polls: no Cadence server is configured; set cadence to grpc://host:7833");
  }
  return { ...worker, warnings };
}

/** @throws CS_AUTHZ_DENIED */
function checkDomain(
  { cadenceDomains }: ControlContext,
  { tenant, domain }: Pick<CadenceWorkerRecord, "tenant" | "domain">,
): void {
  if (mayTakeFrom(cadenceDomains, tenant, domain)) return;
  const message = `tenant ${tenant} may not take tasks of domain ${domain}; ask the operator (cadence_domains)`;
  throw new PlatformError("CS_AUTHZ_DENIED", message);
}

/** @returns the version an activity would run now. @throws CS_VALIDATION_FAILED, CS_NOT_FOUND */
async function resolve(
  { catalog }: ControlContext,
  { tenant, namespace }: CadenceWorkerRecord,
  ref: FunctionRef,
) {
  if (ref.alias !== undefined && ref.version !== undefined) {
    throw new PlatformError("CS_VALIDATION_FAILED", "ref names an alias or a version, not both");
  }
  return catalog.resolve({ tenant, namespace, name: ref.function }, targetOf(ref));
}

async function warningOf(
  context: ControlContext,
  worker: CadenceWorkerRecord,
  type: string,
  ref: FunctionRef,
): Promise<string | undefined> {
  try {
    const version = await resolve(context, worker, ref);
    requireTriggerRole(CADENCE_PRINCIPAL, version.config.authz.invoke_cadence_roles);
    return undefined;
  } catch (error) {
    if (!(error instanceof PlatformError) || error.status >= 500) throw error;
    if (error.code !== "CS_AUTHZ_ROLE_MISSING") return `activities of type ${type} fail: ${error.message}`;
    return (
      `activities of type ${type} fail: ${ref.function} lets no Cadence worker run it; ` +
      "publish it with role:cadence in invoke_cadence_roles"
    );
  }
}

const notFound = ({ name, namespace }: FunctionKey): PlatformError =>
  new PlatformError("CS_NOT_FOUND", `there is no Cadence worker ${name} in namespace ${namespace}`);
