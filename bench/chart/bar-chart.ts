export interface BarChartOptions {
  title: string;
  bars: readonly { label: string; value: number }[];
  /** The label of the bar that stands out. */
  highlight: string;
  /** A line below the bars. */
  note: string;
}

const WIDTH = 720;
const LABEL_WIDTH = 170;
const VALUE_WIDTH = 80;
const ROW = 34;
const TOP = 48;
const FONT = "font-family='system-ui, sans-serif'";

const escapeText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Draws horizontal bars, longest value full width. @returns an SVG document readable on light and dark pages */
export function barChart({ title, bars, highlight, note }: BarChartOptions): string {
  const max = Math.max(...bars.map(({ value }) => value), 1);
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const height = TOP + bars.length * ROW + 34;
  const rows = bars.map(({ label, value }, index) => {
    const y = TOP + index * ROW;
    const width = Math.max(1, Math.round((value / max) * room));
    const color = label === highlight ? "#d9480f" : "#868e96";
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${y + 16}" text-anchor="end" font-size="14" fill="#868e96">${escapeText(label)}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width}" height="22" rx="3" fill="${color}"/>`,
      `<text x="${LABEL_WIDTH + width + 8}" y="${y + 16}" font-size="14" fill="#868e96">${value.toLocaleString("en-US")}</text>`,
    ].join("\n  ");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${FONT} role="img" aria-label="${escapeText(title)}">
  <text x="10" y="26" font-size="16" font-weight="600" fill="#868e96">${escapeText(title)}</text>
  ${rows.join("\n  ")}
  <text x="10" y="${height - 10}" font-size="12" fill="#868e96">${escapeText(note)}</text>
</svg>
`;
}
