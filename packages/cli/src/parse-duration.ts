import { CliError } from "./client/cli-error.ts";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A parser of an option: `500ms`, `30s`, `10m`, `2h` or `3d`.
 * @returns milliseconds
 */
export function parseDuration(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  if (amount !== undefined) return Number(amount) * (UNIT_MS[unit] ?? 1);
  throw new CliError(`${JSON.stringify(text)} is no time`, { hint: "Write 500ms, 30s, 10m, 2h or 3d." });
}

/**
 * A parser of an option, as `parseDuration`.
 * @returns whole seconds
 */
export function parseSeconds(text: string): number {
  const ms = parseDuration(text);
  if (ms % 1000 === 0) return ms / 1000;
  throw new CliError(`${JSON.stringify(text)} is no number of seconds`, { hint: "Write 30s, 10m or 2h." });
}
