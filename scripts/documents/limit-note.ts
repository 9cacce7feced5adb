/** What a limit bounds, and the test that holds it. */
export interface LimitNote {
  what: string;
  /** What happens past it. */
  past: string;
  /** File and title of the test; absent where none holds it by itself. */
  test?: readonly [file: string, title: string];
  /** The file that applies it, where there is no test. */
  code?: string;
}
