import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as the server saw it. */
export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface SpecServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** Answers the next request of this method and path instead of the built-in routes. */
  answerOnce(method: string, path: string, answer: (response: ServerResponse) => void): void;
}

interface Fn {
  record: Record<string, unknown>;
  drafts: Map<string, string>;
  versions: { version: number; sha256: string; config: unknown }[];
  aliases: Map<string, number>;
}

export const ACTIVATION_ID = "3f0c9a52-7d7e-4a30-9b7e-0d0a5f1c2b3d";

/** A record with every field of the contract, as the server keeps it. */
export const ACTIVATION = {
  activation_id: ACTIVATION_ID,
  request_id: "req_01J00000000000000000000000",
  tenant: "t_default",
  namespace: "default",
  function: "hello",
  ref: { function: "hello", alias: "prod" },
  resolved_version: 1,
  trigger: { type: "api", source: {} },
  principal: { sub: "anonymous", roles: ["admin"] },
  mode: "sync",
  status: "success",
  attempt: 1,
  attempts: [],
  enqueued_at_ms: 1_780_000_000_000,
  start_ms: 1_780_000_000_001,
  end_ms: 1_780_000_000_013,
  duration_ms: 12.5,
  deadline_ms: 1_780_000_003_000,
  result: { statusCode: 200, headers: {}, body: "ok", isBase64Encoded: false },
  result_truncated: false,
  cold: true,
  cold_reason: "no_idle_isolate",
  tier: "isolate",
  sandbox_id: "host-1",
  timings: {
    queue_ms: 0.5,
    placement_ms: 0.1,
    boot_ms: 4,
    fetch_ms: 0,
    init_ms: 1,
    handler_ms: 6.9,
    host_calls_ms: 3,
  },
  cpu_ms: 2.2,
  memory_peak_bytes: 8 * 1024 * 1024,
  log_bytes: 2048,
  logs_truncated: false,
  host_calls: 2,
  egress_bytes: 0,
};

const NO_POWERS = { against: null, added: [], removed: [] };
const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";
const EVENT_SOURCES = "/v1/tenants/t_default/namespaces/default/event-sources";
const SCHEDULES = "/v1/tenants/t_default/namespaces/default/schedules";
const WORKERS = "/v1/tenants/t_default/namespaces/default/cadence/workers";
const SCOPE = "/v1/tenants/t_default/namespaces/default/functions";

/** Starts a small control API on loopback that speaks SPEC 6: enough to see what the command line sends. */
export async function startSpecServer(): Promise<SpecServer> {
  const functions = new Map<string, Fn>();
  const seen: SeenRequest[] = [];
  const once: { method: string; path: string; answer: (response: ServerResponse) => void }[] = [];
  const server = createServer((request, response) => {
    void readRequest(request).then((read) => {
      seen.push(read);
      response.setHeader("x-request-id", "req_01J0000000000000000000TEST");
      const at = once.findIndex(({ method, path }) => method === read.method && path === read.path);
      const [special] = at < 0 ? [] : once.splice(at, 1);
      if (special === undefined) route(functions, read, response);
      else special.answer(response);
      return read;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    answerOnce: (method, path, answer) => void once.push({ method, path, answer }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  const url = new URL(request.url ?? "/", "http://localhost");
  const { method = "GET", headers } = request;
  return {
    method,
    path: url.pathname,
    query: url.searchParams,
    headers,
    body: Buffer.concat(parts).toString(),
  };
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message, request_id: "req_01J0000000000000000000TEST" } });
}

/** Sends server-sent events and ends the stream. */
export function sendEvents(
  response: ServerResponse,
  events: readonly { event: string; data: unknown }[],
): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const { event, data } of events) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  response.end();
}

function route(functions: Map<string, Fn>, request: SeenRequest, response: ServerResponse): void {
  const { method, path } = request;
  if (path.startsWith("/v1/web/")) {
    response.writeHead(201, { "content-type": "text/plain" }).end(`${method} ${request.body || "nothing"}`);
  } else if (path.startsWith(SCOPE)) {
    routeFunction(functions, request, response);
  } else if (path.startsWith(SECRETS)) {
    const shown = { name: path.slice(SECRETS.length + 1), version: 1, key_id: "k1", updated_at_ms: 1 };
    const page = { items: [{ ...shown, name: "key" }], next_cursor: null };
    sendJson(response, 200, method === "GET" ? page : method === "PUT" ? shown : { status: "deleted" });
  } else if (path.startsWith(EVENT_SOURCES)) {
    routeEventSource(request, response);
  } else if (path.startsWith(SCHEDULES)) {
    routeSchedule(request, response);
  } else if (path.startsWith(WORKERS)) {
    routeWorker(request, response);
  } else if (path === "/v1/tenants/t_default/activations") {
    sendJson(response, 200, { items: [ACTIVATION], next_cursor: null });
  } else if (path === `/v1/tenants/t_default/activations/${ACTIVATION_ID}`) {
    sendJson(response, 200, ACTIVATION);
  } else if (path === `/v1/tenants/t_default/activations/${ACTIVATION_ID}/logs`) {
    sendJson(response, 200, { chunks: ["[info] one", "[warn] two\u001b[31m"], cursor: null });
  } else if (path === `/v1/tenants/t_default/activations/${ACTIVATION_ID}:cancel`) {
    sendJson(response, 202, { activation_id: ACTIVATION_ID, status: "success" });
  } else if (path === "/v1/tenants/t_default/audit-events") {
    sendJson(response, 200, { items: [AUDIT_EVENT], next_cursor: null });
  } else if (path === "/v1/tokens" && method === "POST") {
    sendJson(response, 201, { token: "cs_secret", record: { token_id: "abc", sub: "ci", roles: ["admin"] } });
  } else {
    sendError(response, 404, "CS_NOT_FOUND", `there is no ${path}`);
  }
}

/** An event source with every field of the contract; a body's fields stand over it. */
const EVENT_SOURCE = {
  tenant: "t_default",
  namespace: "default",
  name: "orders",
  uid: "0b0f3c5e-9a70-4b4e-8a5c-3f1f4f2f6a02",
  type: "codeq",
  ref: { function: "hello", alias: "prod" },
  codeq: { topic: "orders.created" },
  batch_size: 10,
  batch_window_ms: 0,
  filters: [],
  parallelism: 5,
  bisect_on_error: true,
  retry: { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000 },
  max_record_age_ms: 604_800_000,
  start_position: "latest",
  enabled: true,
  generation: 1,
  created_at_ms: 1_780_000_000_000,
  updated_at_ms: 1_780_000_000_000,
};

const EVENT_SOURCE_STATUS = {
  name: "orders",
  state: "failing",
  lag: 12,
  lag_ms: 3000,
  in_flight: 4,
  partitions: 1,
  received: 20,
  filtered: 2,
  succeeded: 13,
  failed: 1,
  last_error: { at_ms: 1_780_000_000_000, message: "connection refused" },
  last_activation_id: ACTIVATION_ID,
  updated_at_ms: 1_780_000_000_000,
};

function routeEventSource({ method, path, body }: SeenRequest, response: ServerResponse): void {
  if (method === "DELETE") return sendJson(response, 200, { status: "deleted" });
  if (path.endsWith("/status")) return sendJson(response, 200, EVENT_SOURCE_STATUS);
  if (method === "GET" && path === EVENT_SOURCES) {
    return sendJson(response, 200, { items: [EVENT_SOURCE], next_cursor: null });
  }
  const given = body === "" ? {} : (JSON.parse(body) as object);
  const source = { ...EVENT_SOURCE, ...given, warnings: ["it will not work yet"] };
  sendJson(response, method === "POST" && path === EVENT_SOURCES ? 201 : 200, source);
}

export const AUDIT_EVENT = {
  schema: "cs.audit.v1",
  event_id: "aud_01J00000000000000000000000",
  ts_ms: 1_780_000_000_000,
  tenant: "t_default",
  actor: { sub: "ada", roles: ["admin"] },
  action: "cs:function:create",
  type: null,
  resource: "cs:t_default:default:function/hello",
  request_id: "req_01J00000000000000000000000",
  outcome: "refused",
  status: 409,
  code: "CS_CONFLICT",
  ended_at_ms: 1_780_000_000_002,
  data: {},
};

/** A schedule with every field of the contract; a body's fields stand over it. */
export const SCHEDULE = {
  tenant: "t_default",
  namespace: "default",
  name: "nightly",
  uid: "0b0f3c5e-9a70-4b4e-8a5c-3f1f4f2f6a01",
  cron: "30 2 * * *",
  timezone: "Europe/Paris",
  overlap_policy: "skip",
  ref: { function: "hello", alias: "prod" },
  payload: null,
  enabled: true,
  jitter_seconds: 0,
  max_catchup_ticks: 60,
  generation: 1,
  created_at_ms: 1_780_000_000_000,
  updated_at_ms: 1_780_000_000_000,
  tick_seq: 3,
  next_tick_ms: Date.parse("2027-10-31T00:30:00Z"),
  inflight: null,
};

/** A Cadence worker with every field of the contract; a body's fields stand over it. */
export const WORKER = {
  tenant: "t_default",
  namespace: "default",
  name: "orders",
  domain: "shop",
  tasklist: "charge",
  worker_id: "orders",
  activity_map: { "main.Charge": { function: "charge", alias: "prod" }, Refund: { function: "refund" } },
  pollers: { activity: 8 },
  limits: { max_inflight_tasks: 256 },
  result: "envelope",
  enabled: true,
  generation: 1,
  created_at_ms: 1_780_000_000_000,
  updated_at_ms: 1_780_000_000_000,
};

function routeWorker({ method, path, body }: SeenRequest, response: ServerResponse): void {
  if (method === "DELETE") return sendJson(response, 200, { status: "deleted" });
  if (method === "GET" && path === WORKERS) {
    return sendJson(response, 200, { items: [WORKER], next_cursor: null });
  }
  const given = body === "" ? {} : (JSON.parse(body) as object);
  const worker = { ...WORKER, ...given, warnings: ["it will not work yet"] };
  sendJson(response, method === "POST" ? 201 : 200, worker);
}

function routeSchedule({ method, path, body }: SeenRequest, response: ServerResponse): void {
  if (method === "DELETE") return sendJson(response, 200, { status: "deleted" });
  if (path.endsWith(":run"))
    return sendJson(response, 202, { activation_id: ACTIVATION_ID, status: "queued" });
  if (method === "GET" && path === SCHEDULES) {
    return sendJson(response, 200, { items: [SCHEDULE], next_cursor: null });
  }
  const given = body === "" ? {} : (JSON.parse(body) as object);
  const next_runs = [SCHEDULE.next_tick_ms, Date.parse("2027-11-01T01:30:00Z")];
  const schedule = { ...SCHEDULE, ...given, next_runs, warnings: ["it will not work yet"] };
  sendJson(response, method === "POST" ? 201 : 200, schedule);
}

function routeFunction(functions: Map<string, Fn>, request: SeenRequest, response: ServerResponse): void {
  const { method, path } = request;
  const [name = "", ...rest] = path.slice(SCOPE.length + 1).split("/");
  const body: Record<string, unknown> = request.body === "" ? {} : JSON.parse(request.body);
  if (name === "" && method === "GET") {
    const items = [...functions.values()].map((fn) => fn.record);
    return sendJson(response, 200, { items, next_cursor: null });
  }
  if (name === "") {
    const record = { ...body, created_at_ms: 1, deleted_at_ms: null };
    if (functions.has(String(body["name"]))) return sendError(response, 409, "CS_CONFLICT", "it exists");
    functions.set(String(body["name"]), { record, drafts: new Map(), versions: [], aliases: new Map() });
    return sendJson(response, 201, record);
  }
  const fn = functions.get(name.replace(/:invoke$/, ""));
  if (fn === undefined) return sendError(response, 404, "CS_NOT_FOUND", `there is no function ${name}`);
  const aliases = [...fn.aliases].map(([alias, version]) => ({ alias, version, updated_at_ms: 1 }));
  if (name.endsWith(":invoke")) {
    if (body["mode"] === "async")
      return sendJson(response, 202, { activation_id: ACTIVATION_ID, status: "queued" });
    const result = {
      statusCode: 200,
      headers: {},
      body: JSON.stringify(body["event"]),
      isBase64Encoded: false,
    };
    const failed = JSON.stringify(body["event"]) === '"fail"';
    const error = { type: "Exception", message: "boom" };
    const outcome = failed ? { status: "error", error } : { status: "success", result };
    return sendJson(response, 200, { activation_id: ACTIVATION_ID, duration_ms: 3, ...outcome });
  }
  if (rest[0] === "draft") return sendJson(response, 200, saveDraft(fn, request.body));
  if (rest[0] === "aliases" && method === "PUT") {
    fn.aliases.set(rest[1] ?? "", Number(body["version"]));
    return sendJson(response, 200, { alias: rest[1], version: body["version"], updated_at_ms: 1 });
  }
  if (rest[0] === "aliases") return sendJson(response, 200, { aliases });
  if (rest[0] === "versions" && method === "POST") return publish(fn, body, response);
  if (rest[0] === "versions" && rest[1] !== undefined) {
    return sendJson(response, 200, fn.versions[Number(rest[1]) - 1] ?? {});
  }
  if (method === "DELETE") return sendJson(response, 200, { status: "deleted" });
  sendJson(response, 200, { function: fn.record, aliases, latest_version: fn.versions.length || null });
}

function saveDraft(fn: Fn, body: string): unknown {
  const sha256 = createHash("sha256").update(body).digest("hex");
  const draft_id = `drf_${fn.drafts.size}`;
  fn.drafts.set(draft_id, sha256);
  return { draft_id, sha256, size_bytes: body.length, expires_at_ms: 2 };
}

function publish(fn: Fn, body: Record<string, unknown>, response: ServerResponse): void {
  const sha256 = fn.drafts.get(String(body["draft_id"]));
  if (sha256 === undefined) return sendError(response, 409, "CS_CONFLICT", "the draft is gone");
  const version = fn.versions.length + 1;
  fn.versions.push({
    version,
    sha256,
    config: { timeout_ms: 3000, memory_mb: 64, retry: { max_attempts: 3 } },
  });
  if (typeof body["alias"] === "string") fn.aliases.set(body["alias"], version);
  sendJson(response, 201, { version, sha256, published_at_ms: 1, warnings: [], powers: NO_POWERS });
}
