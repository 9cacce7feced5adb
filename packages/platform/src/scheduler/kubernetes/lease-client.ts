import { PlatformError } from "@sous/contract";
import { Agent, request } from "undici";
import { type LeaseObject, type LeaseSpec, parseLease } from "./lease-object.ts";
import { readServiceAccount } from "./service-account.ts";

/** One Lease of an API server. Every method throws CS_SCHEDULER_LEADER_UNAVAILABLE when it cannot be asked. */
export interface LeaseClient extends AsyncDisposable {
  /** @returns the Lease, `undefined` where there is none */
  get(): Promise<LeaseObject | undefined>;
  /** @returns the new Lease, `undefined` where somebody else made it first */
  create(spec: LeaseSpec): Promise<LeaseObject | undefined>;
  /** @returns the changed Lease, `undefined` where it is no longer the one that was read, or is gone */
  update(read: LeaseObject, spec: LeaseSpec): Promise<LeaseObject | undefined>;
}

export interface LeaseClientOptions {
  /** Of the API server: `https://10.0.0.1:443`. */
  api: string;
  /** Empty: that of the service account. */
  namespace: string;
  name: string;
  /** Folder with `token`, `ca.crt` and `namespace`; what is not there is not used. */
  serviceAccount: string;
  /** How long one question may take, milliseconds (5,000). */
  timeoutMs?: number;
}

const REPLY_BYTES_MAX = 1024 * 1024;

/** The Lease of a name, over plain HTTP requests: three verbs of one resource need no client of the whole API. */
export function createLeaseClient(options: LeaseClientOptions): LeaseClient {
  const { api, name, serviceAccount, timeoutMs = 5000 } = options;
  let agent: { ca: string | undefined; agent: Agent } | undefined;

  /** @returns the agent that believes these authorities; they are replaced now and then */
  async function agentFor(ca: string | undefined): Promise<Agent> {
    if (agent?.ca === ca && agent !== undefined) return agent.agent;
    const old = agent?.agent;
    const connect = { timeout: timeoutMs, ...(ca === undefined ? {} : { ca }) };
    const bounds = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs, maxResponseSize: REPLY_BYTES_MAX };
    agent = { ca, agent: new Agent({ connections: 2, connect, ...bounds }) };
    await old?.close();
    return agent.agent;
  }

  /** @returns the Lease it answers with, `undefined` for the statuses that are an answer too */
  async function ask(
    method: "GET" | "POST" | "PUT",
    expected: readonly number[],
    bodyIn?: (namespace: string) => object,
  ): Promise<LeaseObject | undefined> {
    const account = await readServiceAccount(serviceAccount);
    const namespace = options.namespace || account.namespace;
    if (namespace === undefined) {
      throw unavailable(`Lease ${name}`, `it is not known in which namespace; set kubernetes.namespace`);
    }
    const title = `Lease ${namespace}/${name}`;
    const leases = `${api.replace(/\/$/, "")}/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
    try {
      const reply = await request(method === "POST" ? leases : `${leases}/${name}`, {
        method,
        headers: headersOf(account.token),
        dispatcher: await agentFor(account.ca),
        body: bodyIn === undefined ? null : JSON.stringify(bodyIn(namespace)),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await reply.body.text();
      if (expected.includes(reply.statusCode)) return undefined;
      if (reply.statusCode >= 200 && reply.statusCode < 300) return parseLease(JSON.parse(text));
      throw unavailable(title, explain(reply.statusCode, text));
    } catch (cause) {
      if (cause instanceof PlatformError && cause.code === "CS_SCHEDULER_LEADER_UNAVAILABLE") throw cause;
      throw unavailable(title, cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  return {
    get: () => ask("GET", [404]),
    create: (spec) => ask("POST", [409], (namespace) => ({ ...KIND, metadata: { name, namespace }, spec })),
    update: (read, spec) =>
      // What else the Lease holds stays: it is not ours.
      ask("PUT", [404, 409], () => ({ ...read, ...KIND, spec: { ...read.spec, ...spec } })),
    async [Symbol.asyncDispose]() {
      await agent?.agent.destroy();
    },
  };
}

const headersOf = (token: string | undefined): Record<string, string> => ({
  accept: "application/json",
  "content-type": "application/json",
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
});

const KIND = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };

/** @returns what an operator should look at; never the token */
function explain(status: number, text: string): string {
  const said = messageOf(text);
  if (status === 401) return `the API server does not know this service account (401)${said}`;
  if (status !== 403) return `the API server answers ${status}${said}`;
  return `the service account may not do this (403)${said}; give it get, create and update on leases of coordination.k8s.io`;
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? `: ${message.slice(0, 300)}` : "";
  } catch {
    return "";
  }
}

const unavailable = (title: string, problem: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_SCHEDULER_LEADER_UNAVAILABLE", `${title} cannot be used: ${problem}`, { cause });
