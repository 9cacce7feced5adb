import type {
  Sandbox,
  SandboxClient,
  SandboxDriver,
  SandboxEvent,
  SandboxOutcome,
  SandboxTask,
} from "@sous/sandbox";
import { completeBudgets, type Isolation } from "@sous/contract";

/** A sandbox that runs nothing: what it is given ends when a test says so. */
export class MemorySandbox implements Sandbox {
  readonly pid = undefined;
  readonly warmPrograms = new Set<string>();
  /** Programs it was given and not told to let go of. */
  readonly programs = new Set<string>();
  readonly id: string;
  readonly tenant: string;
  stalled = false;
  crowded = false;
  waiting = 0;
  dead = false;
  readonly #tasks = new Map<string, { programKey: string; client: SandboxClient }>();
  readonly #listeners: ((event: SandboxEvent) => void)[] = [];

  constructor(id: string, tenant: string) {
    this.id = id;
    this.tenant = tenant;
  }

  get active(): number {
    return this.#tasks.size;
  }

  start(task: SandboxTask, client: SandboxClient): void {
    this.programs.add(task.program.key);
    this.#tasks.set(task.activationId, { programKey: task.program.key, client });
  }

  end(activationId: string): void {
    const task = this.#tasks.get(activationId);
    this.#tasks.delete(activationId);
    task?.client.onOutcome(outcome("success"));
    if (this.#tasks.size === 0) this.emit({ type: "idle" });
  }

  emit(event: SandboxEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  runningPrograms(): Set<string> {
    return new Set(this.#tasks.values().map(({ programKey }) => programKey));
  }

  cancel(): void {}
  evict(programKey: string): void {
    this.programs.delete(programKey);
  }

  listen(listener: (event: SandboxEvent) => void): void {
    this.#listeners.push(listener);
    listener({ type: "created" });
  }

  kill(reason: string): void {
    if (this.dead) return;
    this.dead = true;
    this.stalled = true;
    const tasks = [...this.#tasks.values()];
    this.#tasks.clear();
    for (const { client } of tasks) client.onOutcome(outcome("error"));
    // As with a process: it is gone a moment after it was told.
    setImmediate(() => this.emit({ type: "exited", reason, blamed: undefined }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("disposed");
  }
}

/** A driver of such sandboxes, each kept in the order it was made. */
export function createMemoryDriver(): SandboxDriver & { sandboxes: MemorySandbox[] } {
  const sandboxes: MemorySandbox[] = [];
  return {
    tier: "memory",
    sandboxes,
    async create({ tenant }) {
      const sandbox = new MemorySandbox(`memory-${sandboxes.length + 1}`, tenant);
      sandboxes.push(sandbox);
      return sandbox;
    },
    async [Symbol.asyncDispose]() {},
  };
}

function outcome(status: "success" | "error"): SandboxOutcome {
  const ended: SandboxOutcome = {
    status,
    cold: false,
    coldReason: "none",
    timings: { placementMs: 0, bootMs: 0, initMs: 0, handlerMs: 0, hostCallsMs: 0 },
    cpuMs: 0,
    memoryPeakBytes: 0,
    externalMemoryBytes: 0,
    timersPeak: 0,
    started: true,
  };
  if (status === "error") ended.error = { type: "SandboxCrashed", message: "the sandbox was ended" };
  return ended;
}

/** @returns a task of a program of that key, due in so many milliseconds */
export function memoryTask(
  activationId: string,
  key: string,
  deadlineMs: number,
  isolation: Isolation = "warm",
): SandboxTask {
  return {
    activationId,
    program: {
      key,
      sha256: "",
      files: new Map(),
      entry: "function.js",
      handler: "default",
      isolation,
      memoryMb: 64,
      maxConcurrency: 1,
      budgets: completeBudgets(64),
      capabilities: {
        kv: { prefixes: [], ops: [] },
        codeq: { publish_topics: [] },
        http: { allow_hosts: [], timeout_ms: 1 },
      },
    },
    contextJson: "{}",
    sharedContextJson: "{}",
    eventJson: "null",
    deadlineMs,
  };
}
