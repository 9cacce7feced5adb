/** Starts a timer. @returns what stops it */
export type SetTimer = (run: () => void, delayMs: number) => () => void;
