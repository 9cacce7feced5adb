import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A Lease as the server keeps it. */
export interface KeptLease {
  metadata: { name: string; namespace: string; resourceVersion: string; uid: string; labels?: unknown };
  spec: Record<string, unknown>;
}

/** An HTTP server that keeps Leases by the rules of Kubernetes' API server, for tests. */
export interface KubernetesApi extends AsyncDisposable {
  readonly url: string;
  /** Updates and creations that came too late. */
  readonly conflicts: number;
  readonly requests: number;
  /** @returns a Lease as it stands. @param path `namespace/name` */
  lease(path: string): KeptLease | undefined;
  /** Puts a Lease there, or takes it away, as somebody with kubectl does. */
  put(path: string, spec: Record<string, unknown>, labels?: unknown): void;
  remove(path: string): void;
  /** The token it asks for from now on. */
  requireToken(token: string): void;
  /** Answers everything with a status from now on; `undefined` for as it should be. */
  failWith(status: number | undefined): void;
}

export interface KubernetesApiOptions {
  tls?: { key: string; cert: string };
}

const GROUP = "/apis/coordination.k8s.io/v1/namespaces/";
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/** Starts it on a free port of this machine. */
export async function startKubernetesApi({ tls }: KubernetesApiOptions = {}): Promise<KubernetesApi> {
  const leases = new Map<string, KeptLease>();
  let [version, conflicts, requests] = [100, 0, 0];
  let token: string | undefined;
  let failure: number | undefined;

  function keep(path: string, spec: Record<string, unknown>, labels?: unknown): KeptLease {
    const [namespace = "", name = ""] = path.split("/");
    const uid = leases.get(path)?.metadata.uid ?? `uid-${++version}`;
    const metadata = { name, namespace, resourceVersion: String(++version), uid };
    const lease = { metadata: labels === undefined ? metadata : { ...metadata, labels }, spec };
    leases.set(path, lease);
    return lease;
  }

  function conflict(answer: Answer, reason: string): void {
    conflicts++;
    answer(409, reason);
  }

  function create(namespace: string, body: Body, answer: Answer): void {
    const path = `${namespace}/${body.metadata.name}`;
    if (leases.has(path)) return conflict(answer, `leases "${body.metadata.name}" already exists`);
    if (body.metadata.resourceVersion !== undefined) return answer(400, "resourceVersion should not be set");
    answer(201, keep(path, body.spec ?? {}));
  }

  function update(path: string, body: Body, answer: Answer): void {
    const kept = leases.get(path);
    const { name, resourceVersion, labels } = body.metadata;
    if (!path.endsWith(`/${name}`)) return answer(400, "the name of the object does not match the URL");
    if (resourceVersion === undefined || resourceVersion === "") {
      return answer(422, "metadata.resourceVersion must be specified for an update");
    }
    if (kept === undefined) return answer(404, `leases "${name}" not found`);
    if (kept.metadata.resourceVersion !== resourceVersion) {
      return conflict(
        answer,
        "the object has been modified; please apply your changes to the latest version",
      );
    }
    answer(200, keep(path, body.spec ?? {}, labels));
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests++;
    const answer: Answer = (status, said) => {
      const status_ = { kind: "Status", apiVersion: "v1", status: "Failure", code: status, message: said };
      const body = typeof said === "string" ? status_ : { ...TYPE, ...said };
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const text = await textOf(request);
    if (failure !== undefined) return answer(failure, `leases is forbidden: told to answer ${failure}`);
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return answer(401, "Unauthorized");
    const [, namespace = "", name] =
      /^([a-z0-9-]+)\/leases(?:\/([a-z0-9.-]+))?$/.exec(
        request.url?.startsWith(GROUP) === true ? request.url.slice(GROUP.length) : "",
      ) ?? [];
    if (namespace === "") return answer(404, "the server could not find the requested resource");
    const path = `${namespace}/${name}`;
    if (request.method === "GET")
      return answer(leases.has(path) ? 200 : 404, leases.get(path) ?? "not found");
    const body = readBody(text);
    if (typeof body === "string") return answer(422, body);
    if (request.method === "POST" && name === undefined) return create(namespace, body, answer);
    if (request.method === "PUT" && name !== undefined) return update(path, body, answer);
    answer(405, "the server does not allow this method on the requested resource");
  }

  const listener: RequestListener = (request, response) => void serve(request, response);
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    get conflicts() {
      return conflicts;
    },
    get requests() {
      return requests;
    },
    lease: (path) => leases.get(path),
    put: (path, spec, labels) => void keep(path, spec, labels),
    remove: (path) => void leases.delete(path),
    requireToken: (required) => (token = required),
    failWith: (status) => (failure = status),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Answer = (status: number, said: string | KeptLease) => void;

interface Body {
  metadata: { name: string; resourceVersion?: string; labels?: unknown };
  spec?: Record<string, unknown>;
}

const TYPE = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** @returns the object, or what the API server's validation says of it */
function readBody(text: string): Body | string {
  const body = JSON.parse(text) as Body & { apiVersion?: unknown; kind?: unknown };
  if (body.apiVersion !== TYPE.apiVersion || body.kind !== TYPE.kind) return "no kind is registered for it";
  const { leaseDurationSeconds, leaseTransitions, acquireTime, renewTime, holderIdentity } = body.spec ?? {};
  if (leaseDurationSeconds !== undefined && !(Number(leaseDurationSeconds) > 0)) {
    return "spec.leaseDurationSeconds: must be greater than 0";
  }
  if (leaseTransitions !== undefined && !(Number(leaseTransitions) >= 0)) {
    return "spec.leaseTransitions: must be greater than or equal to 0";
  }
  if (holderIdentity === "") return "spec.holderIdentity: must not be empty";
  for (const time of [acquireTime, renewTime]) {
    if (time !== undefined && !MICRO_TIME.test(String(time))) return `parsing time ${String(time)}`;
  }
  return body;
}
