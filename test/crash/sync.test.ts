import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const CALLS = "trace=read,recvfrom,recvmsg,fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg";

/** @returns why system calls cannot be watched here, or `undefined` */
function straceProblem(): string | undefined {
  const run = spawnSync("strace", ["-qq", "-o", "/dev/null", "true"], { encoding: "utf8", timeout: 10_000 });
  if (run.error !== undefined) return `strace does not run here: ${run.error.message}`;
  return run.status === 0 ? undefined : `strace may not trace here: ${run.stderr.trim()}`;
}

test("a 202 leaves the process only after the work is synced to disk", async (context) => {
  const problem = straceProblem();
  if (problem !== undefined) {
    skipUnlessRequired(context, problem);
    return;
  }
  using data = scratchFolder();
  const trace = join(data.path, "trace");
  const wrapper = ["strace", "-f", "-qq", "-e", CALLS, "-e", "signal=none", "-s", "16384", "-o", trace];
  {
    await using server = await startServer({ settings: { data: data.path }, wrapper });
    const api = createApi(server.url);
    // Paused, so that what is synced is the promise and not the run.
    const files = { "function.js": "export default () => 1;", "manifest.json": manifest() };
    await api.deploy({ name: "traced", files });
    for (let n = 0; n < 3; n++) {
      const response = await api.enqueue("traced", `MARKER-${n}`);
      assert.equal(response.status, 202);
      const { activation_id: id } = (await response.json()) as { activation_id: string };
      await until(async () => (await api.activation(id)).status === "success", "its end");
    }
    process.kill(server.pid, "SIGTERM");
  }
  assert.ok(existsSync(trace));
  const lines = readFileSync(trace, "utf8").split("\n");
  let from = 0;
  const next = (what: string, matches: (line: string) => boolean): number => {
    const at = lines.findIndex((line, index) => index >= from && matches(line));
    assert.ok(at >= 0, `${what} is not in the trace after line ${from}`);
    from = at + 1;
    return at;
  };
  for (let n = 0; n < 3; n++) {
    const asked = next(
      "the request",
      (line) => /\b(read|recv\w*)\b/.test(line) && line.includes(`MARKER-${n}`),
    );
    next("the write of the work", (line) => line.includes("pwrite64") && line.includes(`MARKER-${n}`));
    // A sync counts when it has returned: on one line, or where it is resumed.
    next("the sync", (line) => /(fsync|fdatasync)(\(\d+\)| resumed>\)) += 0/.test(line));
    const answered = next(
      "the answer",
      (line) => /\b(write|writev|send\w*)\b/.test(line) && line.includes("HTTP/1.1 202"),
    );
    const early = lines.slice(asked, answered).filter((line) => line.includes("HTTP/1.1 202"));
    assert.deepEqual(early, [], "no answer went out before");
  }
});
