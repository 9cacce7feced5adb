/** So often a long suite tells where it is, in seconds (never): `npm run soak` sets it. */
const EVERY_SECONDS = Number(process.env["SOUS_SOAK_PROGRESS_SECONDS"] ?? 0);

/**
 * Prints, while it is in scope, how long it has been going on and what a suite says of itself, for whoever waits.
 * @param describe counts, as "120 of 1000 sent"
 */
export function reportProgress(describe: () => string): Disposable {
  const begun = performance.now();
  const print = (): void => {
    console.log(`  ${Math.round((performance.now() - begun) / 1000)} s: ${describe()}`);
  };
  const timer = EVERY_SECONDS > 0 ? setInterval(print, EVERY_SECONDS * 1000) : undefined;
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
