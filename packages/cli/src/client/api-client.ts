import type {
  ActivationRecord,
  AliasesReply,
  AliasRecord,
  AuditEvent,
  Base64Files,
  CadenceWorkerItem,
  CadenceWorkerReply,
  CancelReply,
  CreateCadenceWorkerBody,
  CreateEventSourceBody,
  ClusterMembersReply,
  CreateScheduleBody,
  CreateTokenBody,
  CreateTokenReply,
  CreateUserBody,
  DeadLetterItem,
  DeadLetterReply,
  DeadLetterSelection,
  DeletedReply,
  DraftReply,
  FunctionLogsPage,
  FunctionRecord,
  FunctionReply,
  InvokeAcceptedReply,
  InvokeReply,
  LogsReply,
  PatchCadenceWorkerBody,
  EventSourceItem,
  EventSourceReply,
  EventSourceStatusReply,
  PatchEventSourceBody,
  PatchScheduleBody,
  PatchUserBody,
  PublishReply,
  PurgeReply,
  RedriveBody,
  RedriveReply,
  RekeyBody,
  RekeyReply,
  RefTarget,
  RunScheduleReply,
  ScheduleItem,
  ScheduleReply,
  SecretRecord,
  SetAliasBody,
  TokenRecord,
  UserRecord,
  VersionConfigInput,
  VersionRecord,
} from "@sous/contract";
import { CliError } from "./cli-error.ts";
import { createHttpClient, type HttpClient } from "./http-client.ts";
import { type Page, readItems } from "./paging.ts";

/** Where a command works: the server, who calls, and the tenant and namespace its names lie in. */
export interface ApiScope {
  apiUrl: string;
  /** Where functions are called. */
  gatewayUrl: string;
  token: string | undefined;
  tenant: string;
  namespace: string;
}

export interface ActivationQuery {
  function?: string | undefined;
  namespace?: string | undefined;
  status?: string | undefined;
  trigger?: string | undefined;
  /** Queued at or after, epoch milliseconds. */
  since?: number | undefined;
}

export interface AuditQuery {
  sub?: string | undefined;
  action?: string | undefined;
  type?: string | undefined;
  /** Beginning of the resource. */
  resource?: string | undefined;
  outcome?: string | undefined;
  /** At or after, epoch milliseconds. */
  since?: number | undefined;
  /** At or before, epoch milliseconds. */
  until?: number | undefined;
}

export interface InvokeOptions {
  name: string;
  target: RefTarget | undefined;
  mode: "sync" | "async";
  event: unknown;
  idempotencyKey?: string | undefined;
  /** Of an asynchronous call: not started before so many milliseconds have passed. */
  delayMs?: number | undefined;
}

export interface DeadLetterQuery {
  function?: string | undefined;
  kind?: string | undefined;
}

/** A synchronous call may take as long as a function may run, and its queue and grace besides. */
const INVOKE_TIMEOUT_MS = 910_000;

/** The server answers a wait within 30 s; a thousand dead letters may take as long. */
const WAIT_TIMEOUT_MS = 40_000;
const MANY_TIMEOUT_MS = 120_000;

/** The control API of SPEC 6, a method an endpoint. Every method throws CliError. */
export interface ApiClient {
  readonly http: HttpClient;
  readonly scope: ApiScope;
  createFunction(body: {
    name: string;
    runtime?: string;
    entry?: string;
    handler?: string;
  }): Promise<FunctionRecord>;
  getFunction(name: string): Promise<FunctionReply>;
  listFunctions(itemsMax: number, includeDeleted: boolean): Promise<Page<FunctionRecord>>;
  deleteFunction(name: string): Promise<DeletedReply>;
  putDraft(name: string, files: Base64Files): Promise<DraftReply>;
  publish(
    name: string,
    body: { draft_id: string; config?: VersionConfigInput; alias?: string; approve?: boolean },
  ): Promise<PublishReply>;
  listVersions(name: string, itemsMax: number): Promise<Page<VersionRecord>>;
  getVersion(name: string, version: number): Promise<VersionRecord>;
  setAlias(name: string, alias: string, body: SetAliasBody): Promise<AliasRecord>;
  listAliases(name: string): Promise<AliasesReply>;
  invoke(options: InvokeOptions): Promise<InvokeReply | InvokeAcceptedReply>;
  listActivations(query: ActivationQuery, itemsMax: number): Promise<Page<ActivationRecord>>;
  /** @param waitSeconds for its end, at most (0) */
  getActivation(id: string, waitSeconds?: number): Promise<ActivationRecord>;
  cancelActivation(id: string): Promise<CancelReply>;
  getActivationLogs(id: string, cursor: string | undefined, limit: number): Promise<LogsReply>;
  /** @returns the open stream of server-sent events */
  followActivationLogs(
    id: string,
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>;
  getFunctionLogs(
    name: string,
    query: { since?: number | undefined; limit: number },
  ): Promise<FunctionLogsPage>;
  followFunctionLogs(
    name: string,
    since: number | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>>;
  listDeadLetters(query: DeadLetterQuery, itemsMax: number): Promise<Page<DeadLetterItem>>;
  getDeadLetter(id: string): Promise<DeadLetterReply>;
  redriveDeadLetters(body: RedriveBody): Promise<RedriveReply>;
  purgeDeadLetters(selection: DeadLetterSelection): Promise<PurgeReply>;
  putSecret(name: string, value: string): Promise<SecretRecord>;
  listSecrets(itemsMax: number): Promise<Page<SecretRecord>>;
  deleteSecret(name: string): Promise<DeletedReply>;
  /** @returns a part of the walk over all secrets */
  rekeySecrets(body: RekeyBody): Promise<RekeyReply>;
  createSchedule(body: CreateScheduleBody): Promise<ScheduleReply>;
  listSchedules(itemsMax: number): Promise<Page<ScheduleItem>>;
  getSchedule(name: string): Promise<ScheduleReply>;
  patchSchedule(name: string, body: PatchScheduleBody): Promise<ScheduleReply>;
  runSchedule(name: string): Promise<RunScheduleReply>;
  deleteSchedule(name: string): Promise<DeletedReply>;
  createCadenceWorker(body: CreateCadenceWorkerBody): Promise<CadenceWorkerReply>;
  listCadenceWorkers(itemsMax: number): Promise<Page<CadenceWorkerItem>>;
  getCadenceWorker(name: string): Promise<CadenceWorkerReply>;
  patchCadenceWorker(name: string, body: PatchCadenceWorkerBody): Promise<CadenceWorkerReply>;
  deleteCadenceWorker(name: string): Promise<DeletedReply>;
  createEventSource(body: CreateEventSourceBody): Promise<EventSourceReply>;
  listEventSources(itemsMax: number): Promise<Page<EventSourceItem>>;
  getEventSource(name: string): Promise<EventSourceReply>;
  patchEventSource(name: string, body: PatchEventSourceBody): Promise<EventSourceReply>;
  pauseEventSource(name: string, verb: "pause" | "resume"): Promise<EventSourceReply>;
  eventSourceStatus(name: string): Promise<EventSourceStatusReply>;
  deleteEventSource(name: string): Promise<DeletedReply>;
  createUser(body: CreateUserBody): Promise<UserRecord>;
  listUsers(itemsMax: number): Promise<Page<UserRecord>>;
  getUser(name: string): Promise<UserRecord>;
  patchUser(name: string, body: PatchUserBody): Promise<UserRecord>;
  deleteUser(name: string): Promise<DeletedReply>;
  createToken(body: CreateTokenBody): Promise<CreateTokenReply>;
  listTokens(itemsMax: number): Promise<Page<TokenRecord>>;
  revokeToken(tokenId: string): Promise<DeletedReply>;
  listAuditEvents(query: AuditQuery, itemsMax: number): Promise<Page<AuditEvent>>;
  /** @returns every member of the cluster */
  listClusterMembers(): Promise<ClusterMembersReply>;
}

export function createApiClient(scope: ApiScope): ApiClient {
  const http = createHttpClient({ apiUrl: scope.apiUrl, token: scope.token });
  const gateway = createHttpClient({ apiUrl: scope.gatewayUrl, token: scope.token });
  const tenant = `/v1/tenants/${encodeURIComponent(scope.tenant)}`;
  const namespace = `${tenant}/namespaces/${encodeURIComponent(scope.namespace)}`;
  const functions = `${namespace}/functions`;
  const secretPath = (name: string): string => `${namespace}/secrets/${segment(name, "name of the secret")}`;
  const schedules = `${namespace}/schedules`;
  const eventSources = `${namespace}/event-sources`;
  const eventSourcePath = (name: string): string =>
    `${eventSources}/${segment(name, "name of the event source")}`;
  const schedulePath = (name: string): string => `${schedules}/${segment(name, "name of the schedule")}`;
  const workers = `${namespace}/cadence/workers`;
  const workerPath = (name: string): string => `${workers}/${segment(name, "name of the worker")}`;
  const users = `${tenant}/users`;
  const userPath = (name: string): string => `${users}/${segment(name, "name of the user")}`;
  const functionPath = (name: string): string => `${functions}/${segment(name, "function name")}`;
  const activation = (id: string): string => `${tenant}/activations/${segment(id, "activation id")}`;
  const eventStream = { accept: "text/event-stream" };
  const get = <T>(
    path: string,
    query: Record<string, string | number | boolean | undefined> = {},
  ): Promise<T> => http.sendJson<T>({ method: "GET", path, query });

  return {
    http,
    scope,
    createFunction: (json) => http.sendJson({ method: "POST", path: functions, json }),
    getFunction: (name) => get(functionPath(name)),
    listFunctions: (itemsMax, includeDeleted) =>
      readItems(
        (page) => get(functions, { ...page, include_deleted: includeDeleted || undefined }),
        itemsMax,
      ),
    deleteFunction: (name) => http.sendJson({ method: "DELETE", path: functionPath(name) }),
    putDraft: (name, files) =>
      http.sendJson({ method: "PUT", path: `${functionPath(name)}/draft`, json: { files } }),
    publish: (name, json) => http.sendJson({ method: "POST", path: `${functionPath(name)}/versions`, json }),
    listVersions: (name, itemsMax) =>
      readItems((page) => get(`${functionPath(name)}/versions`, page), itemsMax),
    getVersion: (name, version) => get(`${functionPath(name)}/versions/${version}`),
    setAlias: (name, alias, json) =>
      http.sendJson({
        method: "PUT",
        path: `${functionPath(name)}/aliases/${segment(alias, "alias")}`,
        json,
      }),
    listAliases: (name) => get(`${functionPath(name)}/aliases`),
    invoke: ({ name, target, mode, event, idempotencyKey, delayMs }) =>
      gateway.sendJson({
        method: "POST",
        path: `${functionPath(name)}:invoke`,
        json: {
          ...(target === undefined ? {} : { ref: target }),
          mode,
          event,
          ...(delayMs === undefined ? {} : { delay_ms: delayMs }),
        },
        headers: idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey },
        timeoutMs: INVOKE_TIMEOUT_MS,
      }),
    listActivations: (query, itemsMax) =>
      readItems((page) => get(`${tenant}/activations`, { ...query, ...page }), itemsMax),
    getActivation: (id, wait) =>
      http.sendJson({ method: "GET", path: activation(id), query: { wait }, timeoutMs: WAIT_TIMEOUT_MS }),
    cancelActivation: (id) => http.sendJson({ method: "POST", path: `${activation(id)}:cancel` }),
    getActivationLogs: (id, cursor, limit) => get(`${activation(id)}/logs`, { cursor, limit }),
    followActivationLogs: (id, cursor, signal) =>
      http.open({
        method: "GET",
        path: `${activation(id)}/logs`,
        query: { follow: 1, cursor },
        headers: eventStream,
        timeoutMs: 0,
        signal,
      }),
    getFunctionLogs: (name, query) => get(`${functionPath(name)}/logs`, query),
    followFunctionLogs: (name, since, signal) =>
      http.open({
        method: "GET",
        path: `${functionPath(name)}/logs`,
        query: { follow: 1, since },
        headers: eventStream,
        timeoutMs: 0,
        signal,
      }),
    listDeadLetters: (query, itemsMax) =>
      readItems((page) => get(`${namespace}/dlq`, { ...query, ...page }), itemsMax),
    getDeadLetter: (id) => get(`${namespace}/dlq/${segment(id, "id of the dead letter")}`),
    redriveDeadLetters: (json) =>
      http.sendJson({ method: "POST", path: `${namespace}/dlq:redrive`, json, timeoutMs: MANY_TIMEOUT_MS }),
    purgeDeadLetters: (json) =>
      http.sendJson({ method: "POST", path: `${namespace}/dlq:purge`, json, timeoutMs: MANY_TIMEOUT_MS }),
    putSecret: (name, value) => http.sendJson({ method: "PUT", path: secretPath(name), json: { value } }),
    listSecrets: (itemsMax) => readItems((page) => get(`${namespace}/secrets`, page), itemsMax),
    deleteSecret: (name) => http.sendJson({ method: "DELETE", path: secretPath(name) }),
    createSchedule: (json) => http.sendJson({ method: "POST", path: schedules, json }),
    listSchedules: (itemsMax) => readItems((page) => get(schedules, page), itemsMax),
    getSchedule: (name) => get(schedulePath(name)),
    patchSchedule: (name, json) => http.sendJson({ method: "PATCH", path: schedulePath(name), json }),
    runSchedule: (name) => http.sendJson({ method: "POST", path: `${schedulePath(name)}:run` }),
    deleteSchedule: (name) => http.sendJson({ method: "DELETE", path: schedulePath(name) }),
    createCadenceWorker: (json) => http.sendJson({ method: "POST", path: workers, json }),
    listCadenceWorkers: (itemsMax) => readItems((page) => get(workers, page), itemsMax),
    getCadenceWorker: (name) => get(workerPath(name)),
    patchCadenceWorker: (name, json) => http.sendJson({ method: "PATCH", path: workerPath(name), json }),
    deleteCadenceWorker: (name) => http.sendJson({ method: "DELETE", path: workerPath(name) }),
    createEventSource: (json) => http.sendJson({ method: "POST", path: eventSources, json }),
    listEventSources: (itemsMax) => readItems((page) => get(eventSources, page), itemsMax),
    getEventSource: (name) => get(eventSourcePath(name)),
    patchEventSource: (name, json) => http.sendJson({ method: "PATCH", path: eventSourcePath(name), json }),
    pauseEventSource: (name, verb) =>
      http.sendJson({ method: "POST", path: `${eventSourcePath(name)}:${verb}` }),
    eventSourceStatus: (name) => get(`${eventSourcePath(name)}/status`),
    deleteEventSource: (name) => http.sendJson({ method: "DELETE", path: eventSourcePath(name) }),
    rekeySecrets: (json) => http.sendJson({ method: "POST", path: "/v1/secrets:rekey", json }),
    createUser: (json) => http.sendJson({ method: "POST", path: users, json }),
    listUsers: (itemsMax) => readItems((page) => get(users, page), itemsMax),
    getUser: (name) => get(userPath(name)),
    patchUser: (name, json) => http.sendJson({ method: "PATCH", path: userPath(name), json }),
    deleteUser: (name) => http.sendJson({ method: "DELETE", path: userPath(name) }),
    createToken: (json) => http.sendJson({ method: "POST", path: "/v1/tokens", json }),
    listTokens: (itemsMax) =>
      readItems((page) => get("/v1/tokens", { ...page, tenant: scope.tenant }), itemsMax),
    listAuditEvents: (query, itemsMax) =>
      readItems((page) => get(`${tenant}/audit-events`, { ...query, ...page }), itemsMax),
    revokeToken: (tokenId) =>
      http.sendJson({
        method: "DELETE",
        path: `/v1/tokens/${segment(tokenId, "token id")}`,
        query: { tenant: scope.tenant },
      }),
    async listClusterMembers() {
      let last: ClusterMembersReply | undefined;
      const { items } = await readItems(async (page) => {
        last = await get<ClusterMembersReply>("/v1/cluster/members", page);
        return last;
      }, Infinity);
      return { ...(last as ClusterMembersReply), items, next_cursor: null };
    },
  };
}

/** A name as one segment of a path; an empty one would call another endpoint. */
function segment(text: string, what: string): string {
  if (text === "" || text === "." || text === "..") throw new CliError(`the ${what} is missing`);
  return encodeURIComponent(text);
}
