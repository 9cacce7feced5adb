import assert from "node:assert/strict";
import test from "node:test";
import { runCommand } from "../testing/run-command.ts";
import { startSpecServer } from "../testing/spec-server.ts";

const NOW_MS = 1_780_000_100_000;

const invoker = {
  id: "m-0123456789ab",
  roles: ["invoker"],
  address: "http://10.0.0.7:8080",
  version: "0.1.0",
  state: "live",
  started_at_ms: 1_780_000_000_000,
  seen_at_ms: 1_780_000_100_000,
  capacity: 2048,
  cpus: 4,
  running: 3,
  waiting: 2,
  warm_versions: 17,
  cached_bundles: 40,
};
const gateway = { ...invoker, id: "m-gateway", roles: ["control", "gateway"], capacity: 0, address: "" };
const silent = { ...invoker, id: "m-silent", state: "late", seen_at_ms: 1_780_000_093_000, waiting: 0 };

async function status(readMs: number | null, argv: readonly string[] = []) {
  await using server = await startSpecServer();
  server.answerOnce("GET", "/v1/cluster/members", (response) => {
    response.setHeader("content-type", "application/json");
    const items = [invoker, gateway, silent];
    response.end(JSON.stringify({ items, next_cursor: null, read_at_ms: readMs, now_ms: NOW_MS }));
  });
  return await runCommand(["cluster", "status", "--api-url", server.url, ...argv], { tty: true });
}

test("cluster status shows each process with its roles, state, load and what it has ready", async () => {
  const { code, stdout, stderr } = await status(NOW_MS);
  assert.equal(code, 0, stderr);
  const [header = "", first = "", second = "", third = ""] = stdout.split("\n");
  assert.match(header, /^MEMBER +ROLES +ADDRESS +VERSION +STATE +LOAD +WARM +CACHED +SINCE$/);
  assert.match(
    first,
    /^m-0123456789ab +invoker +http:\/\/10\.0\.0\.7:8080 +0\.1\.0 +live +3\+2\/2048 +17 +40 +2026-/,
  );
  assert.match(second, /^m-gateway +control,gateway +- +0\.1\.0 +live +- +- +- /);
  assert.match(third, /^m-silent .* late \(7\.0 s\) +3\/2048 /);
});

test("cluster status says when what it shows is old", async () => {
  assert.match((await status(NOW_MS - 60_000)).stderr, /as of 60 s ago: the server cannot read its store/);
  assert.equal((await status(NOW_MS - 2000)).stderr, "");
  assert.equal((await status(null)).stderr, "", "a whole platform in one process reads none");
});

test("cluster status --json prints what the server said", async () => {
  const { stdout } = await status(NOW_MS, ["--json"]);
  const { items, read_at_ms } = JSON.parse(stdout);
  assert.equal(read_at_ms, NOW_MS);
  assert.deepEqual(items[0], invoker);
});
