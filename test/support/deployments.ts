import { missingPostgres, missingRedis, startPostgres, startRedis, startS3 } from "@sous/store/testing";
import { type Api, createApi } from "./api.ts";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { scratchFolder } from "./scratch.ts";
import { startServer, type TestServer } from "./server.ts";

/** A platform that runs somewhere, asked through its API. */
export interface Deployed extends AsyncDisposable {
  readonly api: Api;
  /** Where functions are run: one process, or several gateways. */
  readonly gatewayUrls: readonly string[];
  /** Where webhooks come in: one process, or those of event sources. */
  readonly doorUrls: readonly string[];
  /** @returns the metrics of every process, one after the other */
  metrics(): Promise<string>;
}

/** What a deployment has beside what each of them has. */
export interface StartOptions {
  settings?: Record<string, unknown>;
  /** How many processes of each role, where they are apart. */
  counts?: ClusterOptions["counts"];
}

/** A way to run the platform. */
export interface Deployment {
  readonly name: string;
  /** Why it cannot be started on this machine, or `undefined`. */
  readonly missing: string | undefined;
  start(options?: StartOptions): Promise<Deployed>;
}

/** What each of them sets, so that the same tests mean the same. */
const SETTINGS = { "limits.destination_backoff_ms": 20, "limits.destination_backoff_max_ms": 40 };

/** One process that needs nothing else. */
export const embedded: Deployment = {
  name: "one process with everything in it",
  missing: undefined,
  start: ({ settings = {} } = {}) => oneProcess(settings),
};

/** One process with its store in PostgreSQL. */
export const onPostgres: Deployment = {
  name: "one process on PostgreSQL",
  missing: missingPostgres(),
  start: ({ settings } = {}) =>
    assemble(async (stack) => {
      const postgres = stack.use(await startPostgres());
      return stack.use(await oneProcess({ store: `${postgres.database().url}?pool=6`, ...settings }));
    }),
};

/** Every role in processes of its own over one Redis. */
export const rolesOnRedis: Deployment = {
  name: "roles apart on Redis",
  missing: missingRedis(),
  start: ({ settings, counts = {} } = {}) =>
    assemble(async (stack) => {
      const redis = stack.use(await startRedis());
      const { url } = redis;
      return await apart(stack, { store: url, codeq: url, counts, settings: { ...SETTINGS, ...settings } });
    }),
};

/** Every role in processes of its own, the store in PostgreSQL, the queue in Redis, bundles in S3. */
export const rolesOnAll: Deployment = {
  name: "roles apart on PostgreSQL, Redis and S3",
  missing: missingPostgres() ?? missingRedis(),
  start: ({ settings, counts = {} } = {}) =>
    assemble(async (stack) => {
      const postgres = stack.use(await startPostgres());
      const redis = stack.use(await startRedis());
      const s3 = stack.use(await startS3());
      return await apart(stack, {
        store: `${postgres.database().url}?pool=3`,
        codeq: redis.url,
        counts,
        settings: {
          ...SETTINGS,
          bundles: s3.url("sous"),
          "s3.access_key_id": s3.credentials.accessKeyId,
          "s3.secret_access_key": s3.credentials.secretAccessKey,
          ...settings,
        },
      });
    }),
};

async function oneProcess(settings: Record<string, unknown>): Promise<Deployed> {
  const data = scratchFolder();
  const server = await startServer({ settings: { ...SETTINGS, data: data.path, ...settings } });
  return {
    api: createApi(server.url),
    gatewayUrls: [server.url],
    doorUrls: [server.url],
    metrics: () => metricsOf([server.url]),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    },
  };
}

type WithoutEnd = Omit<Deployed, typeof Symbol.asyncDispose>;

async function apart(stack: AsyncDisposableStack, options: ClusterOptions): Promise<WithoutEnd> {
  const { api, gatewayUrls, processes }: Cluster = stack.use(await startCluster(options));
  const urlsOf = (servers: readonly TestServer[]): string[] => servers.map(({ url }) => url);
  return {
    api,
    gatewayUrls,
    doorUrls: urlsOf(processes["event-sources"]),
    metrics: () => metricsOf(urlsOf(Object.values(processes).flat())),
  };
}

async function metricsOf(urls: readonly string[]): Promise<string> {
  const texts = urls.map(async (url) => await (await fetch(`${url}/metrics`)).text());
  return (await Promise.all(texts)).join("\n");
}

/** Ends what was started when a later part does not start, or when all of it ends. */
async function assemble(start: (stack: AsyncDisposableStack) => Promise<WithoutEnd>): Promise<Deployed> {
  await using stack = new AsyncDisposableStack();
  const { api, gatewayUrls, doorUrls, metrics } = await start(stack);
  const owned = stack.move();
  return { api, gatewayUrls, doorUrls, metrics, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
