import type { CadenceWorkerItem, CadenceWorkerRecord, Principal } from "@sous/contract";
import type { ResourceStore, StoredResource } from "@sous/store";

/** What Cadence workers are called among the resources of the store. */
export const CADENCE_WORKER_KIND = "cadence-worker";

/** Whom an activity is run by: the version's role list has to name one of these roles. */
export const CADENCE_PRINCIPAL: Principal = {
  sub: "sp:cs-cadence-poller",
  roles: ["role:cadence", "sp:cs-cadence-poller"],
};

/** What tasks that were taken and are not answered are called there. */
export const CADENCE_TASK_KIND = "cadence-task";

const PAGE = 100;

/** @returns a worker as it is kept, with the number of its last change */
export function workerOf({ generation, record_json }: StoredResource): CadenceWorkerItem {
  return { ...(JSON.parse(record_json) as CadenceWorkerRecord), generation };
}

/** Reads the workers of all tenants. */
export async function allWorkers(resources: Pick<ResourceStore, "all">): Promise<CadenceWorkerItem[]> {
  const workers: CadenceWorkerItem[] = [];
  let cursor: string | undefined;
  do {
    const page = await resources.all(CADENCE_WORKER_KIND, { limit: PAGE, cursor });
    workers.push(...page.items.map(workerOf));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return workers;
}

/** @returns whether there is a worker, or a task that is not answered */
export async function hasCadenceWork(resources: Pick<ResourceStore, "all">): Promise<boolean> {
  for (const kind of [CADENCE_WORKER_KIND, CADENCE_TASK_KIND]) {
    if ((await resources.all(kind, { limit: 1 })).items.length > 0) return true;
  }
  return false;
}

/**
 * @param domains `TENANT/DOMAIN` and `TENANT/*`, as the operator has them; none lets every tenant have every domain
 * @returns whether a tenant may take the tasks of a domain
 */
export const mayTakeFrom = (domains: readonly string[], tenant: string, domain: string): boolean =>
  domains.length === 0 || domains.includes(`${tenant}/${domain}`) || domains.includes(`${tenant}/*`);
