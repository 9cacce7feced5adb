import { inspect } from "./inspect.ts";
import { getOwnPropertyDescriptor, objectKeys, padEnd, slice, type Table } from "./primordials.ts";

const ROWS_MAX = 100;
const COLUMNS_MAX = 20;
const CELL_UNITS_MAX = 60;

interface Grid {
  rows: number;
  columns: number;
  /** Cell texts by `row:column`; row 0 is the head. */
  cells: Table<string>;
  widths: Table<number>;
  /** Column by property name. */
  places: Table<number>;
}

/** Writes rows of records as aligned columns, for `console.table`; anything else as `inspect` does. */
export function tableText(value: unknown): string {
  try {
    if (typeof value !== "object" || value === null) return inspect(value);
    const grid: Grid = { rows: 1, columns: 0, cells: empty(), widths: empty(), places: empty() };
    put(grid, 0, columnOf(grid, "(index)"), "(index)");
    const keys = objectKeys(value);
    for (let index = 0; index < keys.length && grid.rows <= ROWS_MAX; index++) {
      addRow(grid, keys[index] as string, valueOf(value, keys[index] as string));
    }
    return print(grid);
  } catch {
    return inspect(value);
  }
}

const empty = <Value>(): Table<Value> => ({ __proto__: null }) as unknown as Table<Value>;
const valueOf = (holder: object, key: string): unknown => getOwnPropertyDescriptor(holder, key)?.value;

function addRow(grid: Grid, name: string, row: unknown): void {
  const at = grid.rows++;
  put(grid, at, 0, name);
  if (typeof row !== "object" || row === null) return put(grid, at, columnOf(grid, "Values"), inspect(row));
  const keys = objectKeys(row);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    const column = columnOf(grid, key);
    if (column < COLUMNS_MAX) put(grid, at, column, inspect(valueOf(row, key)));
  }
}

function columnOf(grid: Grid, name: string): number {
  const found = grid.places[name];
  if (found !== undefined) return found;
  if (grid.columns >= COLUMNS_MAX) return COLUMNS_MAX;
  const column = grid.columns++;
  grid.places[name] = column;
  put(grid, 0, column, name);
  return column;
}

function put(grid: Grid, row: number, column: number, text: string): void {
  const cell = slice(text, 0, CELL_UNITS_MAX);
  grid.cells[`${row}:${column}`] = cell;
  if (cell.length > (grid.widths[column] ?? 0)) grid.widths[column] = cell.length;
}

function print(grid: Grid): string {
  let text = "";
  for (let row = 0; row < grid.rows; row++) {
    if (row > 0) text += "\n";
    for (let column = 0; column < grid.columns; column++) {
      const cell = grid.cells[`${row}:${column}`] ?? "";
      text += column === 0 ? "" : "  ";
      text += column === grid.columns - 1 ? cell : padEnd(cell, grid.widths[column] ?? 0);
    }
  }
  return text;
}
