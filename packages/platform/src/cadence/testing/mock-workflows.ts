import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import type { ActivityOutcome, MockActivity, ScheduledActivity } from "./mock-activity.ts";
import {
  type Decision,
  DomainAPI,
  type HistoryEventSchema,
  WorkerAPI,
  WorkflowAPI,
} from "./workflow-api.generated.ts";

type Event = NonNullable<MessageInitShape<typeof HistoryEventSchema>["attributes"]>;

/** One workflow in the mock server: its history, and the activity it asked for. */
interface Workflow {
  workflowId: string;
  tasklist: string;
  history: Event[];
  activity: MockActivity | undefined;
}

const POLL_MS = 1000;
const TIMEOUT_TYPES = { startToClose: 1, scheduleToClose: 3, heartbeat: 4 } as const;

/**
 * The calls by which workflows live, so that a suite made for a real server can be tried on the mock: histories grow, and
 * each change is a task for a decider.
 * @param schedule starts an activity as a workflow does
 */
export function mockWorkflows(
  router: ConnectRouter,
  domains: Set<string>,
  schedule: (activity: ScheduledActivity) => { activity: MockActivity; ended: Promise<ActivityOutcome> },
): void {
  const workflows = new Map<string, Workflow>();
  const tasks = new Map<string, Workflow[]>();

  function note(workflow: Workflow, event: Event): void {
    workflow.history.push(event);
    const queue = tasks.get(workflow.tasklist) ?? [];
    tasks.set(workflow.tasklist, queue);
    if (!queue.includes(workflow)) queue.push(workflow);
  }

  function apply(workflow: Workflow, { attributes }: Decision): void {
    if (attributes.case === "requestCancelActivityTask") {
      workflow.history.push({ case: "activityTaskCancelRequested", value: {} });
      workflow.activity?.requestCancel();
    }
    if (attributes.case !== "scheduleActivityTask") return;
    const { domain, taskList, activityType, input, ...times } = attributes.value;
    workflow.history.push({ case: "activityTaskScheduled", value: {} });
    const { activity, ended } = schedule({
      domain,
      tasklist: taskList?.name ?? "",
      type: activityType?.name ?? "",
      input: Buffer.from(input?.data ?? []).toString("utf8"),
      startToCloseMs: times.startToCloseTimeout === undefined ? 0 : durationMs(times.startToCloseTimeout),
      scheduleToCloseMs:
        times.scheduleToCloseTimeout === undefined ? 0 : durationMs(times.scheduleToCloseTimeout),
      heartbeatMs: times.heartbeatTimeout === undefined ? 0 : durationMs(times.heartbeatTimeout),
    });
    workflow.activity = activity;
    void ended.then((outcome) => note(workflow, eventOf(outcome)));
  }

  router.service(DomainAPI, {
    registerDomain({ name }) {
      if (domains.has(name)) throw new ConnectError(`domain ${name} exists`, Code.AlreadyExists);
      domains.add(name);
      return {};
    },
  });
  router.service(WorkflowAPI, {
    startWorkflowExecution({ workflowId, taskList, input }) {
      const workflow = { workflowId, tasklist: taskList?.name ?? "", history: [], activity: undefined };
      workflows.set(workflowId, workflow);
      note(workflow, { case: "workflowExecutionStarted", value: { input: input ?? {} } });
      return { runId: `run of ${workflowId}` };
    },
    signalWorkflowExecution({ workflowExecution }) {
      const workflow = workflows.get(workflowExecution?.workflowId ?? "");
      if (workflow === undefined) throw new ConnectError("no such workflow", Code.NotFound);
      note(workflow, { case: "workflowExecutionSignaled", value: {} });
      return {};
    },
  });
  router.service(WorkerAPI, {
    async pollForDecisionTask({ taskList }) {
      const untilMs = performance.now() + POLL_MS;
      do {
        const workflow = tasks.get(taskList?.name ?? "")?.shift();
        if (workflow !== undefined) {
          const events = workflow.history.map((attributes, at) => ({ eventId: BigInt(at + 1), attributes }));
          const { workflowId } = workflow;
          return {
            taskToken: Buffer.from(workflowId),
            workflowExecution: { workflowId },
            history: { events },
          };
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      } while (performance.now() < untilMs);
      return {};
    },
    respondDecisionTaskCompleted({ taskToken, decisions }) {
      const workflow = workflows.get(Buffer.from(taskToken).toString("utf8"));
      if (workflow !== undefined) for (const decision of decisions) apply(workflow, decision);
      return {};
    },
  });
}

function eventOf(outcome: ActivityOutcome): Event {
  switch (outcome.type) {
    case "completed":
      return { case: "activityTaskCompleted", value: { result: { data: Buffer.from(outcome.result) } } };
    case "failed": {
      const failure = { reason: outcome.reason, details: Buffer.from(outcome.details) };
      return { case: "activityTaskFailed", value: { failure } };
    }
    case "timedOut":
      return { case: "activityTaskTimedOut", value: { timeoutType: TIMEOUT_TYPES[outcome.timeout] } };
    case "cancelled":
      return { case: "activityTaskCanceled", value: { details: { data: Buffer.from(outcome.details) } } };
  }
}
