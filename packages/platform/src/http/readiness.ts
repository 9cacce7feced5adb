import { type ErrorCode, PlatformError, type ReadyReply } from "@sous/contract";

const CHECK_TIMEOUT_MS = 2000;
/** Anybody may ask; what is checked is asked once a second at most. */
const REMEMBERED_MS = 1000;

/** One thing a process cannot work without. */
export interface ReadinessCheck {
  /** Throws when it is not there. @returns what an operator should read of it besides (nothing) */
  check(): Promise<string | void>;
  /** The code shown when it says nothing in time, or fails with none of its own. */
  silent: ErrorCode;
}

export interface ReadinessOptions {
  /** By the name shown in the answer: `store`, `codeq`, `sandbox`. */
  checks: Readonly<Record<string, ReadinessCheck>>;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Whether the process is shutting down: then it is not ready whatever the checks say. */
  draining: () => boolean;
}

/** Tells whether a process can work: each check says `ok`, or the code it fails with. */
export type Readiness = () => Promise<ReadyReply>;

/** @returns what `/readyz` asks */
export function createReadiness({ checks, clock, draining }: ReadinessOptions): Readiness {
  let last: { atMs: number; verdicts: Promise<(readonly [name: string, said: Verdict])[]> } | undefined;
  const runChecks = (): Promise<(readonly [name: string, said: Verdict])[]> =>
    Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await verdict(check)] as const));
  return async () => {
    // Whoever asks a process that is leaving need not wait for a server that says nothing.
    if (draining()) return { status: "draining", checks: {} };
    const nowMs = clock();
    if (last === undefined || Math.abs(nowMs - last.atMs) >= REMEMBERED_MS) {
      last = { atMs: nowMs, verdicts: runChecks() };
    }
    const verdicts = await last.verdicts;
    const isReady = verdicts.every(([, { said }]) => said === "ok");
    const details = verdicts.flatMap(([name, { detail }]) => (detail === undefined ? [] : [[name, detail]]));
    return {
      status: draining() ? "draining" : isReady ? "ready" : "unready",
      checks: Object.fromEntries(verdicts.map(([name, { said }]) => [name, said])),
      ...(details.length === 0 ? {} : { details: Object.fromEntries(details) as Record<string, string> }),
    };
  };
}

interface Verdict {
  /** `ok`, or the code it fails with. */
  said: string;
  detail?: string | undefined;
}

/** @returns what a check says; `silent` when there is no answer in time */
async function verdict({ check, silent }: ReadinessCheck): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => resolve({ said: silent }), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([
      check().then((detail) => ({ said: "ok", detail: detail ?? undefined })),
      timeout,
    ]);
  } catch (error) {
    return { said: error instanceof PlatformError ? error.code : silent };
  } finally {
    clearTimeout(timer);
  }
}
