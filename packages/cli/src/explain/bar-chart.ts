export interface Bar {
  label: string;
  /** Length of the bar, in milliseconds. */
  ms: number;
  /** Where the bar begins, in milliseconds. */
  startMs: number;
  /** What stands after the bar. */
  note?: string;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * Draws spans below each other on one time axis, to an eighth of a character; a span that is not nothing is
 * always visible.
 * @param width most characters of a bar
 * @param format makes the text of a span
 */
export function drawBars(bars: readonly Bar[], width: number, format: (ms: number) => string): string[] {
  const end = Math.max(...bars.map((bar) => bar.startMs + bar.ms), Number.EPSILON);
  const labels = Math.max(...bars.map((bar) => bar.label.length));
  const values = Math.max(...bars.map((bar) => format(bar.ms).length));
  return bars.map((bar) => {
    const lead = Math.min(width - 1, Math.floor((bar.startMs / end) * width));
    const eighths = Math.max(1, Math.round((bar.ms / end) * width * 8));
    const full = "█".repeat(Math.min(width - lead, Math.floor(eighths / 8)));
    const part = full.length + lead < width ? EIGHTHS[eighths % 8] : "";
    const drawn = bar.ms > 0 ? " ".repeat(lead) + full + part : "";
    const note = bar.note === undefined ? "" : `  ${bar.note}`;
    return `${bar.label.padEnd(labels)}  ${format(bar.ms).padStart(values)}  ${drawn}${note}`.trimEnd();
  });
}
