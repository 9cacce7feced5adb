import { setTimeout as sleep } from "node:timers/promises";
import { type ActivationRecord, isTerminal, type TerminalStatus } from "@sous/contract";
import type { ReplyChannel } from "@sous/codeq";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { type ActivityAnswer, type ActivityEnd, answerOf, failureOf } from "./activity-answer.ts";
import { type ActivityServer, ActivityServerError } from "./activity-server.ts";
import { backoffMs } from "./backoff.ts";
import type { CadenceMeter, TaskOutcome } from "./cadence-meter.ts";
import { OpenTask } from "./open-task.ts";
import type { TaskBook, TaskEntry } from "./task-book.ts";

export interface TaskTrackerOptions {
  server: ActivityServer;
  book: TaskBook;
  /** @returns the record of an activation, also of one that waits or runs in this process */
  findActivation: (tenant: string, activationId: string) => Promise<ActivationRecord | undefined>;
  replies: Pick<ReplyChannel<InvocationReply>, "expect" | "forget">;
  /** Ends an activation early; what has ended or is not there is no matter. */
  cancel: (tenant: string, activationId: string) => Promise<void>;
  meter: CadenceMeter;
  clock: () => number;
  random: () => number;
  heartbeatsPerSecond: number;
}

/** The tasks this process looks after, from the poll to the answer. */
export interface TaskTracker extends AsyncDisposable {
  readonly size: number;
  find(activationId: string): OpenTask | undefined;
  /** Whether it looks after a task, or is taking one that is over out of the book. */
  knows(activationId: string): boolean;
  /** Whether what a function says of its progress is for this process, also of a task that was over a moment ago. */
  hears(activationId: string): boolean;
  all(): Iterable<OpenTask>;
  /** Looks after a task from now on: heartbeats, deadline. @param release gives its place back, once */
  open(entry: TaskEntry, release: () => void): OpenTask;
  /** @returns the address that a reply of the task's activation has to be sent to */
  expect(task: OpenTask): string;
  /**
   * Answers a task; tried until Cadence has it, or does not want it any more. Settles then. Only an answer that it does not
   * take as it is becomes another: that the activity failed, and why.
   */
  settle(task: OpenTask, answer: ActivityAnswer): Promise<void>;
  /** Looks after a task no more, and leaves it in the book for whoever finds it next. */
  leave(task: OpenTask): void;
  /** Looks whether the activation of a task has ended. @returns `false` when there is none */
  look(task: OpenTask): Promise<boolean>;
}

const TRY_CEILING_MS = 10_000;
/** Without a deadline of the server's an answer is kept for so long. */
const ANSWER_TTL_MS = 24 * 3600 * 1000;
/** What functions said last may still be on its way for as long, after their task is over. */
const LAST_WORDS_MS = 10_000;

export function createTaskTracker(options: TaskTrackerOptions): TaskTracker {
  const { server, book, findActivation, replies, cancel, meter, clock, random } = options;
  const tasks = new Map<string, OpenTask>();
  const addresses = new Map<string, string>();
  const leaving = new Set<string>();
  /** When tasks were over, oldest first. */
  const overMs = new Map<string, number>();
  const closing = new AbortController();

  const stop = (task: OpenTask): void => {
    const { activation_id, tenant } = task.entry;
    cancel(tenant, activation_id).catch(() => {});
  };

  function leave(task: OpenTask): void {
    const { activation_id } = task.entry;
    task.close();
    tasks.delete(activation_id);
    const address = addresses.get(activation_id);
    if (address !== undefined) replies.forget(address, activation_id);
    addresses.delete(activation_id);
  }

  function noteOver(activationId: string, nowMs: number): void {
    overMs.set(activationId, nowMs);
    for (const [id, atMs] of overMs) {
      if (nowMs - atMs < LAST_WORDS_MS) break;
      overMs.delete(id);
    }
  }

  function close(task: OpenTask, outcome: TaskOutcome): void {
    if (task.state === "over") return;
    const { entry } = task;
    leave(task);
    noteOver(entry.activation_id, clock());
    meter.ended(entry, outcome, clock() - entry.taken_at_ms);
    // What stays in the book is answered once more by whoever finds it, and refused.
    if (task.generation === 0) return;
    leaving.add(entry.activation_id);
    book
      .forget(entry)
      .catch((error: unknown) => meter.fault("CS_CADENCE_RESPOND_FAILED", error))
      .finally(() => leaving.delete(entry.activation_id));
  }

  async function settle(task: OpenTask, first: ActivityAnswer): Promise<void> {
    if (task.state !== "open") return;
    task.state = "answering";
    const { entry } = task;
    const untilMs = entry.deadline_ms ?? entry.taken_at_ms + ANSWER_TTL_MS;
    let answer = first;
    for (let tries = 0; !closing.signal.aborted; tries++) {
      try {
        await send(server, task, answer);
        close(task, outcomeOf(answer));
        return;
      } catch (error) {
        const fault = error instanceof ActivityServerError ? error.fault : "unavailable";
        if (fault !== "gone") meter.fault("CS_CADENCE_RESPOND_FAILED", error);
        if (fault === "gone" || clock() >= untilMs) {
          close(task, fault === "gone" ? "gone" : "unanswered");
          return;
        }
        if (fault === "refused" && answer.type !== "fail") answer = refusedAnswer(error);
        else
          await sleep(backoffMs(tries, TRY_CEILING_MS, random), undefined, { signal: closing.signal }).catch(
            () => {},
          );
      }
    }
  }

  function finish(task: OpenTask, end: ActivityEnd): void {
    void settle(task, answerOf(end, task.entry.result, task.cancelRequested));
  }

  return {
    get size() {
      return tasks.size;
    },
    find: (activationId) => tasks.get(activationId),
    knows: (activationId) => tasks.has(activationId) || leaving.has(activationId),
    hears: (activationId) => tasks.has(activationId) || overMs.has(activationId),
    all: () => tasks.values(),
    open(entry, release) {
      const task = new OpenTask(
        {
          server,
          meter,
          clock,
          gapMs: 1000 / options.heartbeatsPerSecond,
          onCancel: stop,
          onGone(gone) {
            stop(gone);
            close(gone, "gone");
          },
        },
        entry,
        release,
      );
      tasks.set(entry.activation_id, task);
      return task;
    },
    expect(task) {
      const { activation_id } = task.entry;
      const address = replies.expect(activation_id, (reply) => {
        // The outcome is told when its record is on disk, and then the record tells it.
        if (reply.unrecorded !== undefined) task.unwatched = true;
        else finish(task, { ...reply, truncated: false });
      });
      addresses.set(activation_id, address);
      return address;
    },
    settle,
    leave,
    async look(task) {
      task.lookedMs = clock();
      const { tenant, activation_id } = task.entry;
      const record = await findActivation(tenant, activation_id);
      if (record === undefined) return false;
      if (isTerminal(record.status)) {
        const { result, error, result_truncated: truncated } = record;
        finish(task, { status: record.status as TerminalStatus, result, error, truncated });
      }
      return true;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      // What is not answered stays in the book.
      for (const task of tasks.values()) task.close();
      tasks.clear();
    },
  };
}

function send(server: ActivityServer, { token, entry }: OpenTask, answer: ActivityAnswer): Promise<void> {
  const { identity } = entry;
  switch (answer.type) {
    case "complete":
      return server.complete(token, answer.result, identity);
    case "fail":
      return server.fail(token, answer.failure, identity);
    case "cancelled":
      return server.cancelled(token, answer.details, identity);
  }
}

/** The server does not take the answer as it is: the workflow hears why. */
const refusedAnswer = (error: unknown): ActivityAnswer =>
  failureOf("respond_failed", {
    type: "CS_CADENCE_RESPOND_FAILED",
    message: error instanceof Error ? error.message : String(error),
  });

function outcomeOf({ type }: ActivityAnswer): TaskOutcome {
  if (type === "complete") return "completed";
  return type === "fail" ? "failed" : "cancelled";
}
