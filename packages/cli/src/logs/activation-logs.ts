import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../client/api-client.ts";
import { CliError, EXIT } from "../client/cli-error.ts";
import { readEventStream } from "../client/event-stream.ts";
import type { Output } from "../output/output.ts";
import { readLogEvent } from "./log-events.ts";
import { printLogLine } from "./print-log-line.ts";

export interface ActivationLogsOptions {
  api: ApiClient;
  output: Output;
  id: string;
}

const PAGE_LINES = 500;
const RESUMES_MAX = 5;
const RESUME_DELAY_MS = 300;

/** Prints every line an activation has logged so far: as data a list, for people a line each. */
export async function printActivationLogs(options: ActivationLogsOptions): Promise<void> {
  const { api, output, id } = options;
  const chunks: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await api.getActivationLogs(id, cursor ?? undefined, PAGE_LINES);
    chunks.push(...page.chunks);
    // A running activation always has a cursor; a page without lines is the end of what there is.
    cursor = page.chunks.length === 0 ? undefined : page.cursor;
  } while (cursor !== null && cursor !== undefined);
  if (output.json) output.data({ activation_id: id, chunks }, () => "");
  else if (chunks.length === 0) output.note("nothing was logged");
  else for (const [index, text] of chunks.entries()) printLogLine(output, { activation_id: id, index, text });
}

/**
 * Prints lines as they are logged, until the activation ends; picks up again where a connection broke.
 * @returns the status it ended with, or nothing when the caller stopped it
 * @throws CliError when the connection breaks again and again
 */
export async function followActivation(
  options: ActivationLogsOptions & { signal: AbortSignal },
): Promise<string | undefined> {
  const { api, output, id, signal } = options;
  let next = 0;
  for (let resumes = 0; resumes <= RESUMES_MAX; resumes++) {
    const before = next;
    try {
      const stream = await api.followActivationLogs(id, String(next), signal);
      for await (const sent of readEventStream(stream)) {
        const event = readLogEvent(sent, id);
        if (event?.type === "end") return event.status;
        if (event === undefined || event.index < next) continue;
        next = event.index + 1;
        printLogLine(output, event);
      }
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof CliError) throw error;
    }
    if (signal.aborted) return undefined;
    // Progress earns new patience.
    if (next > before) resumes = 0;
    await sleep(RESUME_DELAY_MS);
  }
  throw new CliError(`the log stream of ${id} breaks again and again`, { exitCode: EXIT.server });
}
