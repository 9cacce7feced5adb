import { failureOf } from "./activity-answer.ts";
import type { OpenTask } from "./open-task.ts";
import { queueTask, type TakeTaskOptions } from "./take-task.ts";
import type { TaskEntry } from "./task-book.ts";

export interface TaskKeeperOptions extends Omit<TakeTaskOptions, "catalog"> {
  /** Whether other processes may look after tasks of the same store. */
  shared: boolean;
  /** Takes a place of an entry's worker, whether there is one or not. @returns what gives it back */
  place: (entry: TaskEntry) => () => void;
  onFault: (error: unknown) => void;
}

/**
 * Keeps the book true while tasks are at work, and takes up those that a process left behind. At its end it gives back those
 * that go on.
 */
export interface TaskKeeper extends AsyncDisposable {
  /** Looks after every task in the book that nobody looks after. */
  adopt(): Promise<void>;
}

const ROUND_MS = 500;
/** How often the book is told that somebody looks after a task. */
const TOUCH_MS = 3000;
/** A task that was not touched for so long belongs to a process that is gone. */
const STALE_MS = 10_000;
/** A reply may get lost on its way between processes: then the record tells. */
const LOOK_MS = 15_000;
/** Records that are looked at together. */
const TOGETHER = 50;

export function createTaskKeeper(options: TaskKeeperOptions): TaskKeeper {
  const { tracker, book, clock, shared, place, onFault } = options;

  async function touch(task: OpenTask): Promise<void> {
    const { entry } = task;
    entry.touched_ms = clock();
    task.isKept = true;
    // Refused: another process thought this one gone. Both answer then, and Cadence takes the first.
    if (await book.rewrite(entry, task.generation)) task.generation++;
  }

  /** Says that nobody looks after a task any more: it need not be missed before another takes it up. */
  async function giveBack(task: OpenTask): Promise<void> {
    task.entry.touched_ms = 0;
    await book.rewrite(task.entry, task.generation);
  }

  const isToBeTouched = (task: OpenTask): boolean =>
    task.generation > 0 && (!task.isKept || shared) && clock() - task.entry.touched_ms >= TOUCH_MS;

  const isToBeLookedAt = (task: OpenTask): boolean =>
    task.state === "open" &&
    task.generation > 0 &&
    task.entry.invocation === undefined &&
    clock() - task.lookedMs >= (task.unwatched ? ROUND_MS : LOOK_MS);

  async function round(): Promise<void> {
    const all = [...tracker.all()];
    await inGroups(all.filter(isToBeTouched), touch);
    await inGroups(all.filter(isToBeLookedAt), (task) => tracker.look(task));
  }

  async function inGroups(tasks: OpenTask[], act: (task: OpenTask) => Promise<unknown>): Promise<void> {
    for (let at = 0; at < tasks.length; at += TOGETHER) {
      await Promise.all(tasks.slice(at, at + TOGETHER).map((task) => act(task).catch(onFault)));
    }
  }

  let working: Promise<void> | undefined;
  const timer = setInterval(() => {
    working ??= round()
      .catch(onFault)
      .finally(() => (working = undefined));
  }, ROUND_MS).unref();

  return {
    async adopt() {
      for await (const { entry, generation } of book.all()) {
        if (tracker.knows(entry.activation_id)) continue;
        if (shared && clock() - entry.touched_ms < STALE_MS) continue;
        entry.touched_ms = clock();
        if (!(await book.rewrite(entry, generation))) continue;
        const task = tracker.open(entry, place(entry));
        task.generation = generation + 1;
        task.unwatched = true;
        task.beatSoon();
        await resume(options, task).catch((error: unknown) => {
          // The store or the queue did not answer: it is found again at the next look.
          onFault(error);
          tracker.leave(task);
        });
      }
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await working;
      const kept = [...tracker.all()].filter(({ generation }) => generation > 0);
      if (shared) await inGroups(kept, giveBack);
    },
  };
}

/** Goes on with a task of a process that is gone: its activation ended, goes on, or was never queued. */
async function resume(options: TaskKeeperOptions, task: OpenTask): Promise<void> {
  const { entry } = task;
  const { invocation } = entry;
  if (await options.tracker.look(task)) delete entry.invocation;
  else if (invocation !== undefined) await queueTask(options, task, invocation, Number.MAX_SAFE_INTEGER);
  else {
    const message = "the platform ended before the activity was queued";
    await options.tracker.settle(
      task,
      failureOf("publish_failed", { type: "CS_CODEQ_PUBLISH_FAILED", message }),
    );
  }
}
