import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { LauncherKind } from "../../packages/sandbox/src/isolate/closing/launchers.ts";
import { type EscapeProbe, isHeldBy } from "./probe.ts";
import { ESCAPE_PROBES } from "./probes/all-probes.ts";
import { type Checkout, OWN_CHECKOUT, readableCheckout } from "./readable-checkout.ts";
import type { ProbeRun, ProbeRunReport } from "./run-probes.ts";

const run = promisify(execFile);
/** Nobody's own: what the platform of an ordinary user can do. */
const ORDINARY_USER = 61_999;
const isRoot = process.getuid?.() === 0;
const required = process.env.SOUS_TEST_REQUIRE === "all";

/** One way a host is closed, and what it can hold. */
interface Setting {
  name: string;
  as: "root" | "user";
  kind: LauncherKind;
  lock: boolean;
  level: "strict" | "closed" | null;
}

const SETTINGS: readonly Setting[] = [
  { name: "every layer", as: "root", kind: "bubblewrap", lock: true, level: "strict" },
  { name: "no bubblewrap", as: "root", kind: "self-jail", lock: true, level: "closed" },
  { name: "no last filter", as: "root", kind: "bubblewrap", lock: false, level: null },
  { name: "no bubblewrap, no last filter", as: "root", kind: "self-jail", lock: false, level: null },
  { name: "an ordinary user", as: "user", kind: "bubblewrap", lock: true, level: "closed" },
  { name: "an ordinary user, no bubblewrap", as: "user", kind: "self-jail", lock: true, level: "closed" },
  {
    name: "an ordinary user, no bubblewrap, no last filter",
    as: "user",
    kind: "self-jail",
    lock: false,
    level: null,
  },
];

const folder = mkdtempSync(join(tmpdir(), "sous-escape-"));
const secretFile = join(folder, "secret");
/** Sources that another user may read. */
let checkout: Checkout | undefined = OWN_CHECKOUT;

before(() => {
  // In a folder that others may enter: the file's own rights and the layers keep it, not the way to it.
  chmodSync(folder, 0o755);
  writeFileSync(secretFile, "SECRET\n");
  chmodSync(secretFile, 0o644);
  if (isRoot) checkout = readableCheckout(ORDINARY_USER, folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const setting of SETTINGS) {
  describe(`code that broke out of its isolate: ${setting.name}`, () => {
    let report: ProbeRunReport = { level: "open", layers: {}, answers: {} };
    let problem: string | undefined;
    before(async () => {
      problem = problemOf(setting);
      if (problem !== undefined) return;
      report = await runProbes({ kind: setting.kind, lock: setting.lock, secretFile }, setting.as);
      problem = report.unavailable ?? lackOf(setting, report);
    });

    test("the layers around it are those of its level", (context) => {
      if (problem !== undefined) return skip(context, problem);
      if (setting.level !== null) assert.equal(report.level, setting.level, JSON.stringify(report.layers));
    });

    for (const [group, probes] of Object.entries(ESCAPE_PROBES)) {
      test(`${group}: nothing is had`, (context) => {
        if (problem !== undefined) return skip(context, problem);
        const wrong = probes.flatMap((one) => {
          const right = rightAnswers(one, setting.lock);
          const answer = report.answers[one.name];
          if (right === null || right.includes(answer) || !isHeldBy(one, report.layers)) return [];
          return [`${one.name}: ${String(answer)}, not ${right.join(" or ")}`];
        });
        assert.deepEqual(wrong, []);
      });
    }
  });
}

test(
  "where nothing is closed the probes do get what they try",
  { skip: process.platform !== "linux" },
  async () => {
    const only = [
      "a socket of the family inet",
      "reading passwords",
      "reading a file of the platform",
      "listening",
    ];
    const { answers } = await runProbes({ kind: "plain", lock: false, secretFile, only }, "root");
    assert.equal(answers["a socket of the family inet"], "done");
    assert.match(String(answers["reading passwords"]), /^root:/);
    assert.equal(answers["reading a file of the platform"], "SECRET\n");
    assert.equal(answers["listening"], "listens");
  },
);

function rightAnswers(one: EscapeProbe, lock: boolean): readonly unknown[] | null {
  return lock || one.launched === undefined ? one.locked : one.launched;
}

/** @returns why a setting cannot be tried on this machine, and how it can */
function problemOf({ as, kind }: Setting): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  if (as === "root" && !isRoot) return "needs root: start the tests as root to try it";
  if (kind === "bubblewrap" && !isThere("/usr/bin/bwrap")) {
    return "needs bubblewrap: apt-get install bubblewrap";
  }
  const other = as === "user" || kind === "bubblewrap";
  if (!isRoot || !other) return undefined;
  return checkout === undefined ? "needs a folder for temporary files that every user may enter" : undefined;
}

/** @returns what the machine lacks for a host to reach the level of its setting */
function lackOf({ kind, level }: Setting, { layers }: ProbeRunReport): string | undefined {
  const needed = [
    ...(level === "strict" ? ["cgroup memory", "cgroup cpu", "cgroup pids"] : []),
    ...(kind === "self-jail" ? ["Landlock"] : []),
  ];
  const off = needed.filter((name) => layers[name] !== true);
  return off.length === 0 ? undefined : `needs ${off.join(", ")}: cs doctor says how`;
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs probes in a program of its own, as another user where that is asked for and can be. */
async function runProbes(asked: ProbeRun, as: Setting["as"]): Promise<ProbeRunReport> {
  const { runner, node } = checkout ?? OWN_CHECKOUT;
  const args = ["--disable-warning=ExperimentalWarning", runner, JSON.stringify(asked)];
  const user = as === "user" && isRoot ? { uid: ORDINARY_USER, gid: ORDINARY_USER } : {};
  const { stdout } = await run(node, args, { env: {}, cwd: "/", maxBuffer: 1 << 24, ...user });
  return JSON.parse(stdout) as ProbeRunReport;
}

/** What the machine cannot do is said, and is a failure where everything is asked for. */
function skip(context: TestContext, problem: string): void {
  if (required) assert.fail(problem);
  context.skip(problem);
}
