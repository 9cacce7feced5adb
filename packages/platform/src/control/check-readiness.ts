import { type ErrorCode, PlatformError, type ReadyReply } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";

const CHECK_TIMEOUT_MS = 2000;
/** Anybody may ask; the store is asked to write once a second at most. */
const REMEMBERED_MS = 1000;

/** @returns a function that tells whether this process can work: its store takes a write, its queue takes work */
export function createReadinessCheck({
  store,
  codeq,
  clock,
  draining,
}: Pick<ControlContext, "store" | "codeq" | "clock" | "draining">): () => Promise<ReadyReply> {
  let last: { atMs: number; checks: Promise<Record<string, string>> } | undefined;
  const runChecks = async (): Promise<Record<string, string>> => {
    const [ofStore, ofCodeq] = await Promise.all([
      verdict(() => store.check(), "CS_STORE_UNAVAILABLE"),
      verdict(() => codeq.check(), "CS_CODEQ_PUBLISH_FAILED"),
    ]);
    return { store: ofStore, codeq: ofCodeq };
  };
  return async () => {
    const nowMs = clock();
    if (last === undefined || Math.abs(nowMs - last.atMs) >= REMEMBERED_MS) {
      last = { atMs: nowMs, checks: runChecks() };
    }
    const checks = await last.checks;
    if (draining()) return { status: "draining", checks };
    const isReady = Object.values(checks).every((check) => check === "ok");
    return { status: isReady ? "ready" : "unready", checks };
  };
}

/** @returns `ok`, or the code it fails with; `silent` when there is no answer in time */
async function verdict(check: () => Promise<void>, silent: ErrorCode): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(silent), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([check().then(() => "ok"), timeout]);
  } catch (error) {
    return error instanceof PlatformError ? error.code : silent;
  } finally {
    clearTimeout(timer);
  }
}
