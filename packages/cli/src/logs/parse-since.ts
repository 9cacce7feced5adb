import { CliError } from "../client/cli-error.ts";

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const isUnit = (text: string): text is keyof typeof UNIT_MS => Object.hasOwn(UNIT_MS, text);

/**
 * Reads `--since`.
 * @param text `90s`, `10m`, `2h`, `3d` back from now, or a moment in epoch milliseconds or ISO form
 * @param nowMs epoch milliseconds
 * @returns epoch milliseconds
 */
export function parseSince(text: string, nowMs: number): number {
  if (/^\d{10,15}$/.test(text)) return Number(text);
  const [, amount, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined && isUnit(unit)) return Math.max(0, nowMs - Number(amount) * UNIT_MS[unit]);
  const moment = Date.parse(text);
  if (!Number.isNaN(moment) && /^\d{4}-/.test(text)) return moment;
  throw new CliError(`--since ${text} is not a time`, {
    hint: "Write 10m, 2h, 3d, or 2026-07-01T12:00:00Z.",
  });
}
