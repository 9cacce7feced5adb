import { type Api, createApi } from "./api.ts";
import { scratchFolder } from "./scratch.ts";
import { startServer, type TestServer } from "./server.ts";

export type RoleName = "control" | "gateway" | "invoker" | "scheduler" | "cadence" | "event-sources";

/** Where the roles of a cluster find one another. */
export interface ClusterOptions {
  store: string;
  codeq: string;
  /** How many processes of each role (2 gateways, 2 invokers, 2 schedulers, 1 control, none of the others). */
  counts?: Partial<Record<RoleName, number>>;
  /** Further settings of every process. */
  settings?: Record<string, unknown>;
}

/** Roles of one platform as processes of their own. */
export interface Cluster extends AsyncDisposable {
  /** Asks the control plane, and the gateways by turns. */
  readonly api: Api;
  readonly processes: Record<RoleName, TestServer[]>;
  readonly gatewayUrls: string[];
  /** Starts a control plane where the one before was, on the same port. */
  restartControl(): Promise<void>;
  /** Starts one more process of a role. @param settings beside those of all */
  start(role: RoleName, settings?: Record<string, unknown>): Promise<TestServer>;
}

const COUNTS: Record<RoleName, number> = {
  control: 1,
  gateway: 2,
  invoker: 2,
  scheduler: 2,
  cadence: 0,
  "event-sources": 0,
};
const SECRETS_KEY = Buffer.alloc(32, 7).toString("base64");

/** Starts every process of a cluster and waits until all serve. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const data = scratchFolder();
  const { store, codeq, settings } = options;
  const shared = { data: data.path, store, codeq, secrets_key: [SECRETS_KEY], ...settings };
  const processes: Cluster["processes"] = {
    control: [],
    gateway: [],
    invoker: [],
    scheduler: [],
    cadence: [],
    "event-sources": [],
  };
  const start: Cluster["start"] = async (role, more = {}) => {
    const server = await startServer({ settings: { ...shared, ...more, role } });
    processes[role].push(server);
    return server;
  };
  const end = async (): Promise<void> => {
    await Promise.all(
      Object.values(processes)
        .flat()
        .map((server) => server[Symbol.asyncDispose]()),
    );
    data[Symbol.dispose]();
  };
  try {
    const counts = { ...COUNTS, ...options.counts };
    const roles = (Object.keys(counts) as RoleName[]).flatMap((role) =>
      Array.from({ length: counts[role] }, () => role),
    );
    // Two of them make the tables of a new database at once, as they may.
    await Promise.all(roles.map((role) => start(role)));
  } catch (error) {
    await end();
    throw error;
  }
  const restartControl = async (): Promise<void> => {
    const [before] = processes.control.splice(0);
    await start("control", { port: Number(new URL(before?.url ?? "").port) });
  };
  const gatewayUrls = processes.gateway.map(({ url }) => url);
  return {
    api: createApi(processes.control[0]?.url ?? "", processes.control[0]?.token, gatewayUrls),
    processes,
    gatewayUrls,
    restartControl,
    start,
    [Symbol.asyncDispose]: end,
  };
}
