import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "../measure/median.ts";

const CS = fileURLToPath(new URL("../../bin/cs.js", import.meta.url));
const HELLO = fileURLToPath(new URL("../../examples/hello", import.meta.url));
const ROUNDS = 5;
const PORT = 18_480;

/** Measures `cs dev` from its start to the first successful call of a function. */
export async function measureStart(): Promise<{ rounds: number; median_ms: number; worst_ms: number }> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await once(PORT + round));
  return { rounds: ROUNDS, median_ms: Math.round(median(times)), worst_ms: Math.round(Math.max(...times)) };
}

async function once(port: number): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), "sous-start-"));
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    [CS, "dev", HELLO, "--port", String(port), "--data", data, "--json"],
    {
      stdio: "ignore",
    },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    while (performance.now() - begun < 20_000) {
      if (await answers(port)) return performance.now() - begun;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error("cs dev did not serve the function within 20 s");
  } finally {
    child.kill("SIGTERM");
    await exited;
    rmSync(data, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v1/functions/hello:invoke`, {
      method: "POST",
      body: "{}",
    });
    return response.status === 200;
  } catch {
    return false;
  }
}
