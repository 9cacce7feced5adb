/** How much of its log an activation has written, in characters of clean lines. */
export interface LogBudget {
  logBytes: number;
  logBytesMax: number;
  logsTruncated: boolean;
}

const CUT_MARK = "[warn] the log is cut here: the activation used up its budget log_bytes";

/** @returns the line, the mark in place of the first that does not fit any more, or nothing from then on */
export function admitLine(log: LogBudget, line: string): string | undefined {
  if (log.logsTruncated) return undefined;
  log.logBytes += line.length;
  if (log.logBytes <= log.logBytesMax) return line;
  log.logsTruncated = true;
  return CUT_MARK;
}
