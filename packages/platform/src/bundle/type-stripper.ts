import { Worker } from "node:worker_threads";
import type { StripReply, StripRequest } from "./type-stripper-worker.ts";

/**
 * What became of one file. `settled` tells a fault of the file, which will be the same next time, from one
 * that may pass: no time, no room.
 */
export type StripResult = { ok: true; code: string } | { ok: false; reason: string; settled: boolean };

/** Removes types from TypeScript, away from the main thread. */
export interface TypeStripper extends AsyncDisposable {
  /**
   * Blanks the types of one file out; every line and column stays where it was. Files wait for each other.
   * @param path for messages, as in the bundle
   * @returns never rejects
   */
  strip(path: string, source: string): Promise<StripResult>;
}

export interface TypeStripperOptions {
  /** How long one file may take, in milliseconds (2000). A few nested arrow functions can take hours. */
  deadlineMs?: number;
  /** Most characters of a file (1 Mi). */
  sourceCharactersMax?: number;
  /** Most files that may wait (1000). */
  waitingMax?: number;
}

const START_DEADLINE_MS = 20_000;
const WORKER_URL = new URL("./type-stripper-worker.ts", import.meta.url);

interface Job extends StripRequest {
  settle(result: StripResult): void;
}

/**
 * Makes a stripper that owns one worker thread, started with the first file. States of the worker:
 * none → starting → idle ⇄ busy; from each of them back to none when it hangs, breaks or ends by itself.
 * The file it was busy with has failed then; the files that wait go to its successor.
 */
export function createTypeStripper(options: TypeStripperOptions = {}): TypeStripper {
  const { deadlineMs = 2000, sourceCharactersMax = 1024 * 1024, waitingMax = 1000 } = options;
  const waiting: Job[] = [];
  let worker: Worker | undefined;
  let state: "none" | "starting" | "idle" | "busy" | "closed" = "none";
  let current: Job | undefined;
  let timer: NodeJS.Timeout | undefined;

  function pump(): void {
    if (waiting.length === 0) return;
    if (state === "none") start();
    if (state !== "idle") return;
    const job = waiting.shift();
    if (job === undefined) return;
    current = job;
    state = "busy";
    const request: StripRequest = { path: job.path, source: job.source };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    worker?.postMessage(request);
    arm(deadlineMs, `${job.path}: takes longer than ${deadlineMs} ms to read; simplify its types`);
  }

  function start(): void {
    state = "starting";
    const started = new Worker(WORKER_URL, {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    worker = started;
    started.on("message", (reply: StripReply) => {
      if (worker === started) onReply(reply);
    });
    // Without a listener an error of the worker would end the process; `exit` follows and is enough.
    started.on("error", () => undefined);
    started.on("exit", () => {
      if (worker === started) drop("the type stripper ended", false);
    });
    // After the listeners, which would take the reference again. While a file is in work the timer holds one.
    started.unref();
    arm(START_DEADLINE_MS, "the type stripper did not start");
  }

  function onReply(reply: StripReply): void {
    if (reply.type === "broken") return drop("is nested too deeply to read", true);
    clearTimeout(timer);
    state = "idle";
    if (reply.type === "stripped") finish({ ok: true, code: reply.code });
    else if (reply.type === "refused") finish({ ok: false, reason: reply.reason, settled: true });
    pump();
  }

  function arm(afterMs: number, reason: string): void {
    clearTimeout(timer);
    timer = setTimeout(() => drop(reason, false), afterMs);
  }

  /** Gives the worker up, fails what it was at and goes on with the next. */
  function drop(reason: string, settled: boolean): void {
    clearTimeout(timer);
    const gone = worker;
    // A worker that cannot even start fails one file each time, so that the queue always gets shorter.
    current ??= waiting.shift();
    worker = undefined;
    if (state !== "closed") state = "none";
    void gone?.terminate();
    finish({ ok: false, reason: settled ? `${current?.path}: ${reason}` : reason, settled });
    pump();
  }

  function finish(result: StripResult): void {
    const job = current;
    current = undefined;
    job?.settle(result);
  }

  return {
    strip(path, source) {
      if (source.length > sourceCharactersMax) {
        return failed(`${path}: is over ${sourceCharactersMax} characters; publish it as JavaScript`, true);
      }
      if (state === "closed") return failed("the type stripper is closed", false);
      if (waiting.length >= waitingMax) return failed("too many files wait for the type stripper", false);
      return new Promise((settle) => {
        waiting.push({ path, source, settle });
        pump();
      });
    },
    async [Symbol.asyncDispose]() {
      state = "closed";
      clearTimeout(timer);
      const gone = worker;
      worker = undefined;
      for (const job of [current, ...waiting.splice(0)]) {
        job?.settle({ ok: false, reason: "the type stripper is closed", settled: false });
      }
      current = undefined;
      await gone?.terminate();
    },
  };
}

const failed = (reason: string, settled: boolean): Promise<StripResult> =>
  Promise.resolve({ ok: false, reason, settled });
