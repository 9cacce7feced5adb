import { type ActivationRecord, isTerminal } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";

const INTERVAL_MS = 250;

/**
 * Asks for the record of an activation that may run in another process until it has ended. Who ran it is told of its end
 * directly and a little earlier: `ended` comes one interval after the end was seen.
 * @param read asked four times a second; what it throws counts as not known yet
 * @returns stops it; `ended` is not called any more
 */
export function watchEnd(
  read: () => Promise<ActivationRecord | undefined>,
  ended: (record: TerminalRecord) => void,
): () => void {
  let stopped = false;
  const look = async (): Promise<void> => {
    const record = await read().catch(() => undefined);
    if (stopped) return;
    const isOver = record !== undefined && isTerminal(record.status);
    timer = setTimeout(isOver ? () => ended(record as TerminalRecord) : () => void look(), INTERVAL_MS);
  };
  let timer = setTimeout(() => void look(), INTERVAL_MS);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
