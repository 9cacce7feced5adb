import type {
  Budgets,
  Capabilities,
  ColdReason,
  FunctionError,
  FunctionResult,
  Isolation,
} from "@sous/contract";

/** Everything a sandbox needs to run one version: code as text, where it starts, what it may hold. */
export interface SandboxProgram {
  /** Unique for a version: `tenant/namespace/function@version`. */
  key: string;
  sha256: string;
  /** Text files by path inside the bundle, TypeScript already stripped of its types. */
  files: ReadonlyMap<string, string>;
  entry: string;
  /** `default`, or a named export. */
  handler: string;
  isolation: Isolation;
  memoryMb: number;
  /** Most activations that run at once. */
  maxConcurrency: number;
  capabilities: Capabilities;
  /** What one activation may use; whoever runs it ends what goes beyond. */
  budgets: Budgets;
}

/** One activation handed to a sandbox. */
export interface SandboxTask {
  activationId: string;
  program: SandboxProgram;
  /** The handler's second argument as JSON text: the members that belong to this activation. */
  contextJson: string;
  /** The members that come after them and are the same for many activations; its text crosses once for these. */
  sharedContextJson: string;
  /** The handler's first argument as JSON text. */
  eventJson: string;
  /** Epoch milliseconds after which no answer counts. */
  deadlineMs: number;
}

export interface SandboxTimings {
  /** Waiting inside the sandbox for a free isolate. */
  placementMs: number;
  /** Making the isolate and its context, 0 when they were ready. */
  bootMs: number;
  /** Compiling and evaluating the program's modules. */
  initMs: number;
  /** From the start of the handler to its answer, host calls included. */
  handlerMs: number;
  /** Part of `handlerMs` in which a host call was open. */
  hostCallsMs: number;
}

/** How an activation ended. */
export interface SandboxOutcome {
  status: "success" | "error" | "timeout" | "cancelled";
  result?: FunctionResult;
  error?: FunctionError;
  cold: boolean;
  coldReason: ColdReason;
  timings: SandboxTimings;
  cpuMs: number;
  memoryPeakBytes: number;
  /** Part of it outside the heap, at the last sample. */
  externalMemoryBytes: number;
  /** Most timers that were alive at once. */
  timersPeak: number;
  /** Whether user code had begun; work that had not may be handed to another sandbox. */
  started: boolean;
}

/** A call of the host API out of a running activation. */
export interface HostCall {
  /** `kv.get`, `http.fetch`, … */
  operation: string;
  /** JSON array of the arguments, bounded by the driver, not validated. */
  argumentsJson: string;
}

/** The answer to a host call: JSON text, or the error the guest sees. */
export type HostAnswer = { ok: true; json: string } | { ok: false; code: string; message: string };

/** Who handed the task over: it answers host calls, takes log lines and hears the one outcome. */
export interface SandboxClient {
  /** Answers by `answer`, once, now or later; the answer to an ended activation is dropped. */
  onHostCall(call: HostCall, answer: (answer: HostAnswer) => void): void;
  onLog(level: "debug" | "info" | "warn" | "error", text: string): void;
  onOutcome(outcome: SandboxOutcome): void;
}

/** What listeners of a sandbox hear. `created` comes first, `exited` last, both exactly once. */
export type SandboxEvent =
  | { type: "created" }
  | { type: "slow"; programKey: string; sliceMs: number }
  | { type: "abnormal"; programKey: string; reason: string }
  | { type: "idle" }
  | { type: "exited"; reason: string; blamed: string | undefined };

/**
 * A sandbox: a place closed off from everything where programs of one tenant run.
 *
 * A sandbox runs many activations at a time, each in a place of its own (an isolate, a process). It may die
 * at any moment; then every activation in it ends with exactly one outcome and `exited` follows.
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly tenant: string;
  /** Operating-system process, for the watchdog; `undefined` where there is none. */
  readonly pid: number | undefined;
  /** Activations handed over that have no outcome yet. */
  readonly active: number;
  /** About how many of them wait for their code to begin. */
  readonly waiting: number;
  /** Whether it takes no work now: one slice holds it longer than is usual, or it is dead and its end is to come. */
  readonly stalled: boolean;
  /** Whether it holds so much memory that a program more should take another's place. */
  readonly crowded: boolean;
  /** Programs with at least one place ready to run. */
  readonly warmPrograms: ReadonlySet<string>;
  /**
   * Hands an activation over. Returns at once; the client hears everything else.
   * Must not be called after `exited`.
   */
  start(task: SandboxTask, client: SandboxClient): void;
  /** Asks for an early end. The outcome is `cancelled` unless another came first. */
  cancel(activationId: string): void;
  /** Programs of which an activation is under way. */
  runningPrograms(): Set<string>;
  /** Drops the warm places of a program; running activations end first. */
  evict(programKey: string): void;
  listen(listener: (event: SandboxEvent) => void): void;
  /** Ends it at once, whatever it does. Every activation in it gets its outcome. */
  kill(reason: string): void;
}

export interface SandboxOptions {
  tenant: string;
}

/** A way of making sandboxes. */
export interface SandboxDriver extends AsyncDisposable {
  /** The tier written into activation records: `isolate`, `process`, `docker`, … */
  readonly tier: string;
  /**
   * Makes a sandbox for a tenant, taking a ready one where there is one.
   * @throws CS_INTERNAL when it cannot be started
   */
  create(options: SandboxOptions): Promise<Sandbox>;
}
