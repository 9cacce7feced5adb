import type { Budgets, Isolation } from "@sous/contract";
import type { FailedBudget } from "../mechanism.ts";
import type { CloseHostOptions } from "./host/close-host.ts";

/**
 * The link between the invoker and a sandbox host. Both sides are ours, but the host may have been taken over:
 * what comes from it is checked for size and shape, and one frame out of line ends it.
 */
export const TO_HOST = {
  /** JSON of `HostSetup`; once, first. */
  setup: 1,
  /** Program id, header JSON, number of files, then path and text of each. */
  program: 2,
  /** Activation number, program id, deadline (epoch ms), context JSON, event JSON; the shared context is the last told. */
  start: 3,
  /** Activation number, call id, ok, payload, code. */
  answer: 4,
  /** Activation number: end it, whatever it does; answered by `gone`. */
  cancel: 5,
  /** Program id: drop its idle isolates. */
  evict: 6,
  /** Program id, the shared context JSON of its activations from here on. */
  context: 7,
} as const;

export const FROM_HOST = {
  /** JSON of `ClosedHost`. */
  ready: 16,
  /** Activation number, facts, then status code, base64 flag, headers JSON, cookies JSON or nothing, body. */
  reply: 17,
  /** Activation number, facts, then failure type, budget, message, stack. */
  fail: 18,
  /** Activation number, call id, operation, arguments JSON. */
  call: 19,
  /** Activation number, level, text. */
  log: 20,
  /** Activation number: it is not in this host any more. */
  gone: 21,
  /** Program id, number of isolates it has ready. */
  warm: 22,
  /** JSON of `GuestCaches`; heard only of a host that was given no program yet. */
  caches: 23,
} as const;

/** Order matters: a failure's type travels as its index. */
export const FAILURES = [
  "Exception",
  "CapabilityDenied",
  "ResultTooLarge",
  "BundleError",
  "Timeout",
  "MemoryLimit",
  "SandboxCrashed",
  "BudgetExceeded",
] as const;
export type Failure = (typeof FAILURES)[number];

/** Budgets a failure may be about. Order matters: travels as its index, 0 for none. */
export const FAILED_BUDGETS = [
  "none",
  "cpu_ms",
  "external_memory_mb",
  "result_bytes",
  "host_calls",
  "egress_bytes",
  "timers",
] as const satisfies readonly (FailedBudget | "none")[];

/** Order matters: travels as its index. */
export const COLD_REASONS = [
  "none",
  "first_use",
  "no_idle_isolate",
  "isolation_fresh",
  "new_host",
  "evicted",
] as const;

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** V8's compiled form of the guest's scripts, base64, by the names of the parts and `core`. */
export type GuestCaches = Record<string, string>;

/** What the host is told before anything else. */
export interface HostSetup extends CloseHostOptions {
  /** Memory of the isolates made ahead, in MiB. */
  pairMemoryMb: number;
  pairs: number;
  /** Idle isolates are dropped after this time. */
  idleTtlMs: number;
}

/** What every host is given alike, beside its setup. */
export interface HostGuest {
  core: string;
  parts: Record<string, string>;
  /** Made by a host of the same platform, from the same scripts (it makes its own). */
  caches?: GuestCaches;
}

/** A program as it is sent ahead of its files. */
export interface ProgramHeader {
  budgets: Budgets;
  key: string;
  entry: string;
  handler: string;
  isolation: Isolation;
  memoryMb: number;
  maxConcurrency: number;
}

/** What a host measured about an activation; part of `reply` and `fail`. */
export interface ActivationFacts {
  coldReason: number;
  placementMs: number;
  bootMs: number;
  initMs: number;
  handlerMs: number;
  hostCallsMs: number;
  cpuMs: number;
  memoryBytes: number;
  externalBytes: number;
  timersPeak: number;
}

const MiB = 1024 * 1024;

/** Bounds of single fields on the way from a host, in bytes. */
export const FIELD_BYTES_MAX = {
  headers: 64 * 1024,
  cookies: 2 * MiB,
  body: 6 * MiB,
  message: 64 * 1024 * 3,
  stack: 8 * 1024 * 3,
  operation: 64,
  arguments: 4 * MiB,
  logText: 256 * 1024,
  json: 64 * 1024,
  caches: 4 * MiB,
} as const;

/** The largest frame a host may send. */
export const FROM_HOST_FRAME_BYTES_MAX = 8 * MiB;
/** The largest frame a host takes: a program of 16 MiB with its paths, or an event of 6 MiB. */
export const TO_HOST_FRAME_BYTES_MAX = 64 * MiB;

/** The marker file: `u32 activation that holds the slice (0: none), u32 number of the slice, u32 highest activation begun`. */
export const MARKER_BYTES = 12;
/** File descriptors a host is started with. */
export const HOST_FDS = { link: 3, marker: 4 } as const;
