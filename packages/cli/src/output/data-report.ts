import type { DataProgress, DataReport } from "../platform-port.ts";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

const NOTE_EVERY_MS = 1000;
const DOING = { look: "looking at", copy: "copied", verify: "verified", bundles: "bundles" } as const;

/** @returns a listener that tells people once a second how far it is */
export function progressNotes(output: Output, now: () => number): (progress: DataProgress) => void {
  let saidAtMs = now();
  return ({ step, kind, rows }) => {
    if (now() - saidAtMs < NOTE_EVERY_MS) return;
    saidAtMs = now();
    output.note(`${DOING[step]} ${kind ?? ""} ${rows.toLocaleString("en")}`.replaceAll(/ +/g, " "));
  };
}

/** Prints what was brought over, with its warnings. @returns whether something could not be brought */
export function printDataReport(output: Output, report: DataReport): boolean {
  const { bundles } = report;
  const lost = [...report.damaged_bundles, ...(bundles?.damaged ?? [])];
  output.data(report, () => {
    const table = formatTable(
      ["", "ROWS", report.dry_run ? "TO WRITE" : "WRITTEN", "SAME", "KEPT"],
      report.kinds
        .filter(({ rows }) => rows > 0)
        .map(({ kind, rows, written, same, kept }) => [kind, ...[rows, written, same, kept].map(String)]),
      "the source holds nothing",
    );
    const verdict = report.dry_run ? "nothing was written (dry run)" : "verified by count and hash";
    return [
      `${report.from} → ${report.to}`,
      table,
      ...(bundles === undefined
        ? []
        : [`bundles → ${bundles.to}: ${bundles.written} written, ${bundles.same} there`]),
      ...report.kept.map((name) => `kept as it was: ${name}`),
      verdict,
    ].join("\n");
  });
  for (const warning of report.warnings) output.warn(warning);
  for (const sha256 of new Set(lost))
    output.warn(`bundle ${sha256} is damaged or gone, and was not brought over`);
  return lost.length > 0;
}
