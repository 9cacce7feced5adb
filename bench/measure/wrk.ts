import { execFile } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface LoadOptions {
  url: string;
  connections: number;
  seconds: number;
  /** Text of a Lua script of wrk: method, headers and body. */
  script: string;
}

export interface LoadResult {
  requests: number;
  perSecond: number;
  p50Us: number;
  p99Us: number;
  /** Answers that were no success, and connections that failed. */
  failures: number;
  /** Processor time of the client itself, in milliseconds. */
  clientCpuMs: number;
}

/** Sends load with wrk for a bounded time over loopback. @throws when wrk is missing or prints something else */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, connections, seconds, script } = options;
  await using folder = await mkdtempDisposable(join(tmpdir(), "sous-wrk-"));
  const scriptPath = join(folder.path, "script.lua");
  await writeFile(scriptPath, script);
  const args = [
    "-t1",
    `-c${connections}`,
    `-d${seconds}s`,
    "--latency",
    "--timeout",
    "10s",
    "-s",
    scriptPath,
    url,
  ];
  const before = process.resourceUsage();
  const { stdout } = await run("wrk", args, { timeout: (seconds + 30) * 1000 });
  const after = process.resourceUsage();
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  const requests = number(/(\d+) requests in/);
  const perSecond = number(/Requests\/sec:\s+([\d.]+)/);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  const broken = socket === null ? 0 : socket.slice(1).reduce((sum, count) => sum + Number(count), 0);
  if (Number.isNaN(requests) || Number.isNaN(perSecond))
    throw new Error(`wrk said something unexpected:\n${stdout}`);
  return {
    requests,
    perSecond,
    p50Us: latency(stdout, "50%"),
    p99Us: latency(stdout, "99%"),
    failures: broken + (Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0) || 0),
    clientCpuMs: (after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1000,
  };
}

function latency(text: string, percentile: string): number {
  const match = new RegExp(`${percentile}\\s+([\\d.]+)(us|ms|s)`).exec(text);
  const scale = { us: 1, ms: 1000, s: 1_000_000 }[match?.[2] ?? ""] ?? Number.NaN;
  return Number(match?.[1]) * scale;
}
