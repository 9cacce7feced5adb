import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { LeaseStore } from "@sous/store";
import type { Config } from "../config/config-schema.ts";
import { createLocalLeadership, type Leadership } from "../scheduler/leadership.ts";
import type { SetTimer } from "../scheduler/set-timer.ts";
import { createStoreLeadership } from "../scheduler/store-leadership.ts";

export interface OpenLeadershipOptions {
  config: Pick<Config, "leader" | "kubernetes">;
  leases: LeaseStore;
  now: () => number;
  monotonic: () => number;
  setTimer: SetTimer;
  onFault: (error: unknown) => void;
}

/** Opens the leadership that the settings name. */
export async function openLeadership(options: OpenLeadershipOptions): Promise<Leadership> {
  const { config, leases, now: clock, monotonic, setTimer, onFault } = options;
  if (config.leader === "local:") return createLocalLeadership();
  const holder = `${hostname()}/${process.pid}/${randomUUID()}`;
  const all = { leases, holder, clock, monotonic, setTimer, onFault };
  if (config.leader === "store:") return createStoreLeadership(all);
  const { api, namespace, lease: name, service_account: serviceAccount } = config.kubernetes;
  const { createKubernetesLeadership } = await import("../scheduler/kubernetes/kubernetes-leadership.ts");
  const { createLeaseClient } = await import("../scheduler/kubernetes/lease-client.ts");
  const client = createLeaseClient({ api, namespace, name, serviceAccount });
  return createKubernetesLeadership({ ...all, client, random: Math.random });
}
