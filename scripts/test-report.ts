import { relative } from "node:path";
import type { run } from "node:test";
import { inspect } from "node:util";

/** What `node:test` tells while it runs. */
export type TestEvent = ReturnType<typeof run> extends AsyncIterable<infer Event> ? Event : never;

export interface TestReportOptions {
  /** Paths are printed relative to this folder. */
  root: string;
  /** Names of the checks before the tests that failed; any makes the run fail. */
  failedChecks: readonly string[];
  /** Whether a skipped test makes the run fail. */
  skipsFail: boolean;
  print(line: string): void;
}

interface Counts {
  tests: number;
  suites: number;
  passed: number;
  failed: number;
  cancelled: number;
  skipped: number;
  todo: number;
}

/**
 * Prints one line a test file, every failure in full, every skip with its reason, and the summary last.
 * @param events of one run, or of several after each other
 * @returns whether everything passed
 */
export async function reportTests(
  events: AsyncIterable<TestEvent>,
  options: TestReportOptions,
): Promise<boolean> {
  const { print, root } = options;
  const skips = new Map<string, string[]>();
  const output = new Map<string, string[]>();
  const failures = new Map<string, string[]>();
  let counts: Counts = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  let durationMs = 0;
  const place = (file: string | undefined): string => (file === undefined ? "?" : relative(root, file));

  for await (const event of events) {
    if (event.type === "test:stdout" || event.type === "test:stderr") {
      push(output, event.data.file ?? "?", event.data.message);
    } else if (event.type === "test:diagnostic" && event.data.file !== undefined) {
      // What came to pass after a test's end fails its file, and is told nowhere else.
      push(output, event.data.file, `${event.data.message}\n`);
    } else if (event.type === "test:pass" && event.data.skip !== undefined) {
      const reason = typeof event.data.skip === "string" ? event.data.skip : "no reason given";
      push(skips, reason, `${place(event.data.file)}: ${event.data.name}`);
    } else if (event.type === "test:fail") {
      const { details, file, name, line } = event.data;
      const error: { failureType?: string; cause?: unknown } = details.error;
      const inFile = failures.get(file ?? "?");
      // A parent and a file fail with their tests; the tests have said why.
      if (error.failureType === "subtestsFailed" && inFile !== undefined) continue;
      push(
        failures,
        file ?? "?",
        `✖ ${place(file)}:${line ?? 0} ${name}\n${indent(explain(error.cause ?? error))}`,
      );
    } else if (event.type === "test:summary") {
      if (event.data.file === undefined) {
        counts = sum(counts, event.data.counts);
        durationMs += event.data.duration_ms;
      } else {
        const { success, counts: own, duration_ms: tookMs } = event.data;
        const skipped = own.skipped > 0 ? `, ${own.skipped} skipped` : "";
        print(
          `${success ? "✔" : "✖"} ${place(event.data.file)} (${own.tests} tests${skipped}, ${Math.round(tookMs)} ms)`,
        );
      }
    }
  }

  for (const [file, texts] of failures) {
    print("");
    for (const text of texts) print(text);
    const said = output.get(file)?.join("").trimEnd();
    if (said) print(`  output of ${place(file)}:\n${indent(said)}`);
  }
  printSkips(skips, options);
  if (options.failedChecks.length > 0)
    print(`\n✖ failed before the tests: ${options.failedChecks.join(", ")}`);
  print("");
  print(`# tests ${counts.tests}`);
  print(`# suites ${counts.suites}`);
  print(`# pass ${counts.passed}`);
  print(`# fail ${counts.failed}`);
  print(`# cancelled ${counts.cancelled}`);
  print(`# skipped ${counts.skipped}`);
  print(`# todo ${counts.todo}`);
  print(`# duration_ms ${Math.round(durationMs)}`);
  const broken = counts.failed + counts.cancelled + failures.size + options.failedChecks.length;
  return broken === 0 && (counts.skipped === 0 || !options.skipsFail);
}

function sum(counts: Counts, more: Counts): Counts {
  return {
    tests: counts.tests + more.tests,
    suites: counts.suites + more.suites,
    passed: counts.passed + more.passed,
    failed: counts.failed + more.failed,
    cancelled: counts.cancelled + more.cancelled,
    skipped: counts.skipped + more.skipped,
    todo: counts.todo + more.todo,
  };
}

function printSkips(skips: ReadonlyMap<string, string[]>, options: TestReportOptions): void {
  if (skips.size === 0) return;
  options.print(options.skipsFail ? "\n✖ skipped, and SOUS_TEST_REQUIRE=all allows none:" : "\nskipped:");
  for (const [reason, names] of skips) {
    options.print(`  ${reason}`);
    for (const name of names) options.print(`    ${name}`);
  }
  options.print("  `.ci/run` installs on Debian what these need and runs them all");
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

const FAILURE_LINES_MAX = 60;

/** An error as text: without the lines of its stack that lie in the test runner, and not without end. */
function explain(error: unknown): string {
  const text = inspect(error).replaceAll(/^ +at .*\bnode:internal\/test_runner\/.*\n/gm, "");
  const lines = text.split("\n");
  if (lines.length <= FAILURE_LINES_MAX) return text;
  return [...lines.slice(0, FAILURE_LINES_MAX), `… ${lines.length - FAILURE_LINES_MAX} lines more`].join(
    "\n",
  );
}

const indent = (text: string): string => text.replace(/^/gm, "  ");
