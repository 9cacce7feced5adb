import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { PollForActivityTaskResponseSchema, WorkerAPI } from "../grpc/worker-api.generated.ts";
import { type ActivityOutcome, MockActivity, type ScheduledActivity } from "./mock-activity.ts";
import { mockWorkflows } from "./mock-workflows.ts";

export interface MockCadenceOptions {
  /** Domains there are; polls of others are refused. */
  domains?: readonly string[];
  /** How long a poll without a task lasts, milliseconds (1000). */
  pollMs?: number;
}

/** A Cadence server for tests, with the wire format, headers, deadlines and timeouts of the real one. */
export interface MockCadence extends AsyncDisposable {
  /** `grpc://127.0.0.1:…`; stays the same over `down` and `up`. */
  readonly url: string;
  /** Starts an activity as a workflow would. @returns how it ended, after its last attempt */
  schedule(activity: ScheduledActivity): { activity: MockActivity; ended: Promise<ActivityOutcome> };
  /** Polls that wait now, by identity. */
  readonly polling: readonly string[];
  /** Most polls that waited at the same time. */
  readonly pollingPeak: number;
  /** What was refused because of headers or deadline. */
  readonly violations: readonly string[];
  /** The headers of the last call. */
  readonly lastHeaders: Headers | undefined;
  /** Calls by method. */
  readonly calls: ReadonlyMap<string, number>;
  /** Answers the next calls of a method with an error of gRPC instead, so many of them (1). */
  refuse(method: string, code: keyof typeof Code, times?: number): void;
  /** Refuses connections and cuts those there are; what it knows stays, and its clocks go on. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** Below it the real server refuses a poll (ErrContextTimeoutTooShort). */
const POLL_DEADLINE_MIN_MS = 2000;
const REQUIRED_HEADERS = ["rpc-caller", "rpc-service", "rpc-encoding"];

interface Poller {
  identity: string;
  give(activity: MockActivity | undefined): void;
}

/** Starts one on a free port of loopback. */
export async function startMockCadence(options: MockCadenceOptions = {}): Promise<MockCadence> {
  const { pollMs = 1000 } = options;
  const domains = new Set(options.domains ?? ["shop"]);
  const queues = new Map<string, { tasks: MockActivity[]; pollers: Set<Poller> }>();
  const byToken = new Map<string, MockActivity>();
  const violations: string[] = [];
  const calls = new Map<string, number>();
  const refusals = new Map<string, { code: keyof typeof Code; left: number }>();
  let lastHeaders: Headers | undefined;
  let polls = 0;
  let pollingPeak = 0;
  let made = 0;

  const queueOf = (domain: string, tasklist: string) => {
    const key = `${domain}/${tasklist}`;
    let queue = queues.get(key);
    if (queue === undefined) queues.set(key, (queue = { tasks: [], pollers: new Set() }));
    return queue;
  };

  /** Hands an attempt to a poller that waits, or keeps it. */
  function dispatch(activity: MockActivity): void {
    const { tasks, pollers } = queueOf(activity.domain, activity.tasklist);
    const [poller] = pollers;
    if (poller === undefined) tasks.push(activity);
    else poller.give(activity);
  }

  function check(method: string, context: HandlerContext, deadlineMinMs = 1): void {
    calls.set(method, (calls.get(method) ?? 0) + 1);
    lastHeaders = context.requestHeader;
    const refuse = (why: string): never => {
      violations.push(`${method}: ${why}`);
      throw new ConnectError(why, Code.InvalidArgument);
    };
    for (const name of REQUIRED_HEADERS) {
      const value = context.requestHeader.get(name);
      if (value === null || value === "") refuse(`missing ${name}`);
      if (value?.includes(",") === true) refuse(`header has more than one value: ${name}`);
    }
    if (context.requestHeader.get("rpc-service") !== "cadence-frontend") refuse("unknown service");
    if (context.requestHeader.get("rpc-encoding") !== "proto") refuse("unknown encoding");
    const leftMs = context.timeoutMs();
    if (leftMs === undefined) refuse("missing TTL");
    else if (leftMs < deadlineMinMs) refuse("context timeout is too short");
    const refusal = refusals.get(method);
    if (refusal !== undefined && refusal.left-- > 0) {
      throw new ConnectError("refused by the test", Code[refusal.code]);
    }
  }

  /** @throws NOT_FOUND for a token whose attempt is over, as the real server does */
  function attemptOf(token: Uint8Array): MockActivity {
    const key = Buffer.from(token).toString("utf8");
    const activity = byToken.get(key);
    if (activity?.isCurrent(key) === true) return activity;
    throw new ConnectError("activity task already completed, timed out, or not found", Code.NotFound);
  }

  async function poll(domain: string, tasklist: string, identity: string, context: HandlerContext) {
    const { tasks, pollers } = queueOf(domain, tasklist);
    const waiting = tasks.shift();
    if (waiting !== undefined) return waiting;
    const { promise, resolve } = Promise.withResolvers<MockActivity | undefined>();
    const poller: Poller = { identity, give: (activity) => finish(activity) };
    const finish = (activity: MockActivity | undefined): void => {
      if (!pollers.delete(poller)) return;
      polls--;
      resolve(activity);
    };
    pollers.add(poller);
    pollingPeak = Math.max(pollingPeak, ++polls);
    const timer = setTimeout(finish, Math.min(pollMs, (context.timeoutMs() ?? pollMs) - 500), undefined);
    const giveUp = (): void => finish(undefined);
    context.signal.addEventListener("abort", giveUp);
    const found = await promise;
    clearTimeout(timer);
    context.signal.removeEventListener("abort", giveUp);
    return found;
  }

  function schedule(scheduled: ScheduledActivity) {
    const activity = new MockActivity(scheduled, ++made, dispatch);
    return { activity, ended: activity.ended };
  }

  const routes = (router: ConnectRouter): void => {
    mockWorkflows(router, domains, schedule);
    router.service(WorkerAPI, {
      async pollForActivityTask(request, context) {
        check("poll", context, POLL_DEADLINE_MIN_MS);
        const { domain, taskList, identity } = request;
        if (!domains.has(domain)) throw new ConnectError(`domain ${domain} does not exist`, Code.NotFound);
        if (taskList?.name === undefined || taskList.name === "" || taskList.kind > 1) {
          throw new ConnectError("task list is not set on request", Code.InvalidArgument);
        }
        const activity = await poll(domain, taskList.name, identity, context);
        if (activity === undefined) return {};
        const token = activity.begin(identity);
        byToken.set(token, activity);
        return taskOf(activity, token);
      },
      respondActivityTaskCompleted({ taskToken, result }, context) {
        check("complete", context);
        attemptOf(taskToken).complete(result?.data ?? new Uint8Array(0));
        return {};
      },
      respondActivityTaskFailed({ taskToken, failure }, context) {
        check("fail", context);
        attemptOf(taskToken).fail(failure?.reason ?? "", failure?.details ?? new Uint8Array(0));
        return {};
      },
      respondActivityTaskCanceled({ taskToken, details }, context) {
        check("cancel", context);
        attemptOf(taskToken).cancelled(details?.data ?? new Uint8Array(0));
        return {};
      },
      recordActivityTaskHeartbeat({ taskToken, details }, context) {
        check("heartbeat", context);
        const activity = attemptOf(taskToken);
        activity.heartbeat(details?.data ?? new Uint8Array(0));
        return { cancelRequested: activity.cancelRequested };
      },
    });
  };

  const handler = connectNodeAdapter({ routes, grpc: true, connect: false, grpcWeb: false });
  let server: Http2Server | undefined;
  const sessions = new Set<ServerHttp2Session>();
  let port = 0;

  async function up(): Promise<void> {
    const started = createServer({}, handler);
    started.on("session", (session) => {
      sessions.add(session);
      session.on("close", () => sessions.delete(session));
      session.on("error", () => {});
    });
    await new Promise<void>((resolve) => started.listen(port, "127.0.0.1", resolve));
    port = (started.address() as AddressInfo).port;
    server = started;
  }
  async function down(): Promise<void> {
    const stopped = server;
    server = undefined;
    for (const session of sessions) session.destroy();
    if (stopped !== undefined) await new Promise((resolve) => stopped.close(resolve));
  }
  await up();

  return {
    url: `grpc://127.0.0.1:${port}`,
    schedule,
    get polling() {
      return [...queues.values()].flatMap(({ pollers }) => [...pollers].map(({ identity }) => identity));
    },
    get pollingPeak() {
      return pollingPeak;
    },
    violations,
    get lastHeaders() {
      return lastHeaders;
    },
    calls,
    refuse: (method, code, times = 1) => void refusals.set(method, { code, left: times }),
    down,
    up,
    async [Symbol.asyncDispose]() {
      for (const activity of byToken.values()) activity.stop();
      for (const { tasks } of queues.values()) for (const activity of tasks) activity.stop();
      await down();
    },
  };
}

function taskOf(
  activity: MockActivity,
  token: string,
): MessageInitShape<typeof PollForActivityTaskResponseSchema> {
  const { startToCloseMs, heartbeatMs, scheduleToCloseMs } = activity.timeouts;
  return create(PollForActivityTaskResponseSchema, {
    taskToken: Buffer.from(token),
    workflowExecution: { workflowId: activity.workflowId, runId: activity.runId },
    activityId: activity.activityId,
    activityType: { name: activity.type },
    input: { data: activity.input },
    attempt: activity.attempt,
    startToCloseTimeout: durationFromMs(startToCloseMs),
    scheduleToCloseTimeout: durationFromMs(scheduleToCloseMs),
    heartbeatTimeout: durationFromMs(heartbeatMs),
    heartbeatDetails: { data: activity.details },
    workflowType: { name: "mock" },
    workflowDomain: activity.domain,
  });
}
