/** @returns a time span for people: `0.31 ms`, `41 ms`, `2.5 s` */
export function formatMs(ms: number): string {
  if (ms >= 10_000) return `${Math.round(ms / 1000)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 10) return `${Math.round(ms)} ms`;
  return `${ms.toFixed(ms >= 1 ? 1 : 2)} ms`;
}

/** @returns a size for people: `512 B`, `1.4 KiB`, `16 MiB` */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** @returns a moment for people, in UTC: `2026-07-01 12:30:05` */
export const formatTime = (epochMs: number): string =>
  new Date(epochMs).toISOString().slice(0, 19).replace("T", " ");
