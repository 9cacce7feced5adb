import { printable } from "./printable.ts";

/**
 * Sets rows in columns.
 * @param header one name a column
 * @param rows cells as text; control characters are made visible
 * @param empty what to say where there is no row
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  empty: string,
): string {
  if (rows.length === 0) return empty;
  const cells = [header, ...rows].map((row) => row.map((cell) => printable(cell).replaceAll("\n", " ")));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Sets names and values below each other, values aligned. */
export function formatFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join("\n");
}
