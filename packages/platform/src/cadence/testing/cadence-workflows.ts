import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { ActivityOutcome, ScheduledActivity } from "./mock-activity.ts";
import {
  type DecisionSchema,
  DomainAPI,
  type HistoryEvent,
  type PollForDecisionTaskResponse,
  WorkerAPI,
  WorkflowAPI,
} from "./workflow-api.generated.ts";

/** Plays the part of workflows towards a real Cadence server: each has one activity and ends with it. */
export interface CadenceWorkflows extends AsyncDisposable {
  readonly domain: string;
  /** Starts a workflow whose one activity is this. @returns its id and how the activity ended */
  schedule(activity: ScheduledActivity): Promise<{ workflowId: string; ended: Promise<ActivityOutcome> }>;
  /** Makes a workflow ask for an early end of its activity. */
  requestCancel(workflowId: string): Promise<void>;
}

const IDENTITY = "sous-e2e";
const DAY_MS = 24 * 3600 * 1000;
const WORKFLOW_MS = 300_000;
const POLL_MS = 65_000;
const ACTIVITY_ID = "1";
const TIMEOUTS = { 1: "startToClose", 3: "scheduleToClose", 4: "heartbeat" } as const;
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("utf8");

/** @param address `host:port` of the server's gRPC port */
export async function startCadenceWorkflows(address: string, domain: string): Promise<CadenceWorkflows> {
  const transport = createGrpcTransport({
    baseUrl: `http://${address}`,
    defaultTimeoutMs: 10_000,
    interceptors: [
      (next) => (request) => {
        request.header.set("rpc-caller", IDENTITY);
        request.header.set("rpc-service", "cadence-frontend");
        request.header.set("rpc-encoding", "proto");
        return next(request);
      },
    ],
  });
  const workflows = createClient(WorkflowAPI, transport);
  const decisions = createClient(WorkerAPI, transport);
  const taskList = { name: `decisions-${randomUUID()}`, kind: 1 };
  const waiting = new Map<string, (outcome: ActivityOutcome) => void>();
  const closing = new AbortController();

  const retention = { workflowExecutionRetentionPeriod: durationFromMs(DAY_MS) };
  await createClient(DomainAPI, transport)
    .registerDomain({ name: domain, ...retention })
    .catch((error: unknown) => {
      if (ConnectError.from(error).code !== Code.AlreadyExists) throw error;
    });

  async function decide(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const poll = { domain, taskList, identity: IDENTITY };
        const task = await decisions.pollForDecisionTask(poll, {
          timeoutMs: POLL_MS,
          signal: closing.signal,
        });
        if (task.taskToken.length === 0) continue;
        const made = decisionsOf(task, domain);
        await decisions.respondDecisionTaskCompleted({
          taskToken: task.taskToken,
          decisions: made.decisions,
          identity: IDENTITY,
        });
        if (made.outcome !== undefined) waiting.get(task.workflowExecution?.workflowId ?? "")?.(made.outcome);
      } catch {
        // A domain that was just registered is not known everywhere for a few seconds.
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }
  const decider = decide();

  return {
    domain,
    async schedule(activity) {
      const workflowId = `sous-${randomUUID()}`;
      const { promise, resolve } = Promise.withResolvers<ActivityOutcome>();
      waiting.set(workflowId, resolve);
      await workflows.startWorkflowExecution({
        domain,
        workflowId,
        workflowType: { name: "one-activity" },
        taskList,
        input: { data: Buffer.from(JSON.stringify(activity)) },
        executionStartToCloseTimeout: durationFromMs(WORKFLOW_MS),
        taskStartToCloseTimeout: durationFromMs(10_000),
        identity: IDENTITY,
        requestId: randomUUID(),
      });
      return { workflowId, ended: promise };
    },
    async requestCancel(workflowId) {
      const names = { workflowExecution: { workflowId }, signalName: "cancel", requestId: randomUUID() };
      await workflows.signalWorkflowExecution({ domain, identity: IDENTITY, ...names });
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await decider;
    },
  };
}

interface Made {
  decisions: MessageInitShape<typeof DecisionSchema>[];
  outcome?: ActivityOutcome;
}

/** @returns what a workflow does next, by its whole history */
export function decisionsOf({ history }: Pick<PollForDecisionTaskResponse, "history">, domain: string): Made {
  const events = history?.events ?? [];
  const find = (name: HistoryEvent["attributes"]["case"]) =>
    events.find((event) => event.attributes.case === name);
  for (const event of events) {
    const outcome = outcomeOf(event);
    if (outcome === undefined) continue;
    return { decisions: [{ attributes: { case: "completeWorkflowExecution", value: {} } }], outcome };
  }
  const wantsEnd = find("workflowExecutionSignaled") !== undefined;
  const isScheduled = find("activityTaskScheduled") !== undefined;
  const cancel: Made["decisions"] =
    wantsEnd && find("activityTaskCancelRequested") === undefined
      ? [{ attributes: { case: "requestCancelActivityTask", value: { activityId: ACTIVITY_ID } } }]
      : [];
  const started = find("workflowExecutionStarted")?.attributes;
  if (isScheduled || started?.case !== "workflowExecutionStarted") return { decisions: cancel };
  const wish = JSON.parse(text(started.value.input?.data)) as ScheduledActivity;
  const allMs = wish.scheduleToCloseMs ?? 60_000;
  const value = {
    activityId: ACTIVITY_ID,
    activityType: { name: wish.type },
    domain,
    taskList: { name: wish.tasklist, kind: 1 },
    input: { data: Buffer.from(wish.input ?? "") },
    scheduleToCloseTimeout: durationFromMs(allMs),
    scheduleToStartTimeout: durationFromMs(allMs),
    startToCloseTimeout: durationFromMs(wish.startToCloseMs ?? 10_000),
    heartbeatTimeout: durationFromMs(wish.heartbeatMs ?? 0),
  };
  return { decisions: [{ attributes: { case: "scheduleActivityTask", value } }, ...cancel] };
}

function outcomeOf({ attributes }: HistoryEvent): ActivityOutcome | undefined {
  switch (attributes.case) {
    case "activityTaskCompleted":
      return { type: "completed", result: text(attributes.value.result?.data) };
    case "activityTaskFailed": {
      const { reason = "", details } = attributes.value.failure ?? {};
      return { type: "failed", reason, details: text(details) };
    }
    case "activityTaskTimedOut": {
      const timeout = TIMEOUTS[attributes.value.timeoutType as keyof typeof TIMEOUTS];
      return { type: "timedOut", timeout: timeout ?? "scheduleToClose" };
    }
    case "activityTaskCanceled":
      return { type: "cancelled", details: text(attributes.value.details?.data) };
    default:
      return undefined;
  }
}
