import type { ApiClient } from "../client/api-client.ts";
import { CliError, EXIT } from "../client/cli-error.ts";
import { readEventStream } from "../client/event-stream.ts";
import type { Output } from "../output/output.ts";
import { formatTime } from "../output/units.ts";
import { readLogEvent } from "./log-events.ts";
import { printLogLine } from "./print-log-line.ts";

export interface FunctionLogsOptions {
  api: ApiClient;
  output: Output;
  name: string;
  /** Only activations queued at or after, epoch milliseconds. */
  since: number | undefined;
}

/** Prints what the last activations logged, for people oldest first, so that the newest stands at the end. */
export async function printFunctionLogs(options: FunctionLogsOptions & { limit: number }): Promise<void> {
  const { api, output, name, since, limit } = options;
  const page = await api.getFunctionLogs(name, { since, limit });
  if (output.json) return output.data(page, () => "");
  if (page.items.length === 0) return output.note(`${name} has not run yet`);
  for (const item of page.items.toReversed()) {
    const head = `${formatTime(item.enqueued_at_ms)}  ${item.activation_id}  ${item.status}`;
    output.raw(output.style("dim", head));
    for (const [index, text] of item.chunks.entries()) {
      printLogLine(output, { activation_id: item.activation_id, index, text }, "  ");
    }
    if (item.cursor !== null) output.raw(`  … \`cs activation logs ${item.activation_id}\` shows the rest`);
  }
}

/**
 * Prints lines of every activation of a function as they are logged, until the caller stops it.
 * @throws CliError when the server ends the stream
 */
export async function followFunction(options: FunctionLogsOptions & { signal: AbortSignal }): Promise<void> {
  const { api, output, name, since, signal } = options;
  try {
    const stream = await api.followFunctionLogs(name, since, signal);
    for await (const sent of readEventStream(stream)) {
      const event = readLogEvent(sent);
      if (event?.type !== "chunk") continue;
      // The first part of an id tells activations apart well enough for the eye.
      printLogLine(output, event, `${output.style("dim", event.activation_id.slice(0, 8))}  `);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof CliError) throw error;
    throw new CliError(`the log stream of ${name} broke`, { exitCode: EXIT.server, cause: error });
  }
  if (signal.aborted) return;
  throw new CliError(`the server ended the log stream of ${name}`, {
    exitCode: EXIT.server,
    hint: "Run the command again; it goes on with new lines.",
  });
}
