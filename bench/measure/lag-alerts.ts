/** Lags past which an operator should be told, in milliseconds: as `docs/guides/operations.md` has them. */
export const QUEUE_LAG_ALERT_MS = 1000;
export const TICK_LAG_ALERT_MS = 5000;
