import { hash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  activityActivationId,
  type CadenceWorkerRecord,
  type Invocation,
  PlatformError,
} from "@sous/contract";
import type { Store } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import { queueInvocation } from "../activations/queue-invocation.ts";
import { answerOf, failureOf } from "./activity-answer.ts";
import type { ActivityTask } from "./activity-server.ts";
import { backoffMs } from "./backoff.ts";
import type { OpenTask } from "./open-task.ts";
import { prepareActivity, type PrepareActivityOptions } from "./prepare-activity.ts";
import type { TaskBook, TaskEntry } from "./task-book.ts";
import type { TaskTracker } from "./task-tracker.ts";

export interface TakeTaskOptions extends PrepareActivityOptions {
  tracker: TaskTracker;
  book: TaskBook;
  codeq: Pick<InvocationCodeQ, "publish" | "lookup">;
  store: Pick<Store, "activations">;
  asyncDepthMax: number;
  cancel: (tenant: string, activationId: string) => Promise<void>;
  random: () => number;
  /** Raised when the process ends. */
  signal: AbortSignal;
}

/** How long a task without a deadline of Cadence's is tried to be queued. */
const QUEUE_MS = 600_000;
const TRY_CEILING_MS = 5000;

/**
 * Turns a task into a queued activation: taken → prepared → kept → queued, or answered where that cannot be. Heartbeats
 * go from the first moment on. What may go away (a full queue, a store that is down) is waited for.
 * @param release gives the task's place back, once
 */
export async function takeTask(
  options: TakeTaskOptions,
  worker: CadenceWorkerRecord,
  task: ActivityTask,
  release: () => void,
): Promise<void> {
  const { tracker, clock, random, signal } = options;
  const entry = entryOf(worker, task, clock());
  // The server hands out a token once; where it does not, one activation does for both.
  if (tracker.find(entry.activation_id) !== undefined) {
    release();
    return;
  }
  const open = tracker.open(entry, release);
  const untilMs = entry.deadline_ms ?? clock() + QUEUE_MS;
  for (let tries = 0; open.state === "open" && !signal.aborted; tries++) {
    try {
      const { activation_id, deadline_ms } = entry;
      const prepared = await prepareActivity(options, worker, task, activation_id, deadline_ms);
      if ("type" in prepared) await tracker.settle(open, prepared);
      else await queueTask(options, open, prepared, depthOf(options, worker));
      return;
    } catch (error) {
      const told = error instanceof PlatformError ? error : new PlatformError("CS_INTERNAL", String(error));
      if (!told.retryable || clock() >= untilMs) {
        await tracker.settle(open, failureOf("publish_failed", { type: told.code, message: told.message }));
        return;
      }
      await sleep(backoffMs(tries, TRY_CEILING_MS, random), undefined, { signal }).catch(() => {});
    }
  }
}

/** Writes a task down, then queues its activation. Harmless when repeated. */
export async function queueTask(
  options: Pick<TakeTaskOptions, "tracker" | "book" | "codeq" | "store" | "tier" | "cancel">,
  open: OpenTask,
  invocation: Invocation,
  depthMax: number,
): Promise<void> {
  const { tracker, book, cancel } = options;
  const { entry } = open;
  invocation.reply_to = tracker.expect(open);
  entry.invocation = invocation;
  if (open.generation === 0) open.generation = await book.keep(entry);
  if (open.state !== "open") {
    // It was over before it was written down: nobody else will take it off.
    await book.forget(entry);
    return;
  }
  if (open.cancelRequested) {
    const error = { type: "Cancelled" as const, message: "cancelled before it was queued" };
    await tracker.settle(
      open,
      answerOf({ status: "cancelled", error, truncated: false }, entry.result, true),
    );
    return;
  }
  await queueInvocation(options, invocation, depthMax);
  delete entry.invocation;
  if (isOver(open) || open.cancelRequested) await cancel(entry.tenant, entry.activation_id).catch(() => {});
}

const isOver = (open: OpenTask): boolean => open.state === "over";

/** Its own bound keeps a worker from flooding a function; what else waits there keeps its room. */
export const depthOf = (
  { asyncDepthMax }: Pick<TakeTaskOptions, "asyncDepthMax">,
  { limits }: CadenceWorkerRecord,
): number => asyncDepthMax + limits.max_inflight_tasks;

function entryOf(worker: CadenceWorkerRecord, task: ActivityTask, nowMs: number): TaskEntry {
  const { tenant, namespace, name, domain, tasklist, worker_id, result } = worker;
  return {
    activation_id: activityActivationId(hash("sha256", task.token, "hex")),
    tenant,
    namespace,
    worker: name,
    domain,
    tasklist,
    identity: worker_id,
    token: Buffer.from(task.token).toString("base64"),
    result,
    deadline_ms: task.startToCloseMs === 0 ? null : nowMs + task.startToCloseMs,
    heartbeat_timeout_ms: task.heartbeatTimeoutMs,
    details: Buffer.from(task.heartbeatDetails).toString("base64"),
    taken_at_ms: nowMs,
    touched_ms: nowMs,
  };
}
