import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createApi, manifest, until } from "../support/api.ts";
import { descendantsOf } from "../support/process-tree.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";
import { ATTACK_GROUPS } from "./describe-attacks.ts";

test("SECURITY.md lists every case", () => {
  const text = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");
  for (const attack of Object.values(ATTACK_GROUPS).flat())
    assert.ok(text.includes(attack.name), attack.name);
});

test("a log is bounded and marked where it was cut", async () => {
  using scratch = scratchFolder();
  await using server = await startServer({ settings: { data: scratch.path } });
  const api = createApi(server.url);
  const code =
    'export default () => { for (let i = 0; i < 3000; i++) console.log("x".repeat(1000)); return 1; };';
  await api.deploy({ name: "chatty", files: { "function.js": code, "manifest.json": manifest() } });
  const { activation_id: id } = await api.invoke("chatty", {});
  await until(async () => (await api.activation(id))["logs_truncated"] === true, "the mark in the record");
  const record = await api.activation(id);
  assert.ok(Number(record["log_bytes"]) <= 1024 * 1024 + 64 * 1024);
});

test("no host outlives its parent, however busy it is", { skip: process.platform !== "linux" }, async () => {
  const data = mkdtempSync(join(tmpdir(), "sous-orphan-"));
  const server = await startServer({ settings: { data } });
  const api = createApi(server.url);
  const code = "export default () => [].indexOf.call({ length: 2 ** 53 - 1 }, 1);";
  const limits = { timeoutMs: 30_000 };
  await api.deploy({ name: "stuck", files: { "function.js": code, "manifest.json": manifest({ limits }) } });
  api.invoke("stuck", {}).catch(() => {});
  let hosts: number[] = [];
  await until(async () => {
    hosts = descendantsOf(server.pid);
    return hosts.some((pid) => cpuTicks(pid) > 20);
  }, "a busy host");
  await server.kill();
  await until(() => hosts.every((pid) => !alive(pid)), "the hosts to end with their parent", 5000);
  rmSync(data, { recursive: true, force: true });
});

function cpuTicks(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[11]);
  } catch {
    return 0;
  }
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
