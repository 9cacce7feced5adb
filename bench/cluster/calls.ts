import { fileURLToPath } from "node:url";
import { startRedis } from "@sous/store/testing";
import { type BesideEcho, besideEcho } from "../measure/beside-echo.ts";
import { deploy } from "../measure/deploy.ts";
import { median } from "../measure/median.ts";
import { type ServerProcess, startServer } from "../measure/server-process.ts";
import { HELLO_CODE, postScript } from "../measure/workload.ts";
import { load } from "../measure/wrk.ts";

const PLATFORM = fileURLToPath(new URL("../servers/platform.ts", import.meta.url));
const SECRETS_KEY = Buffer.alloc(32, 3).toString("base64");
const CALLERS = 64;

export interface CallsOptions {
  seconds: number;
  rounds: number;
  /** How many functions are called, step by step. */
  functions: readonly number[];
}

interface Side {
  url: string;
  token: string;
}

export interface CallsReport {
  calls: { callers: number; embedded_per_s: number; apart_per_s: number; ratio: number; p50_ratio: number }[];
  asynchronous: BesideEcho & { drain_per_s: number };
  functions: { functions: number; calls_per_s: number }[];
}

/** Measures calls of one embedded process and of roles apart (one of each) by turns, in one run. */
export async function measureCalls({ seconds, rounds, functions }: CallsOptions): Promise<CallsReport> {
  await using redis = await startRedis({ durable: true });
  const shared = {
    store: redis.url,
    codeq: redis.url,
    secrets_key: [SECRETS_KEY],
    "limits.async_depth_max": 100_000_000,
  };
  const role = (name: string): Promise<ServerProcess> =>
    startServer(PLATFORM, [JSON.stringify({ ...shared, role: name })]);
  await using embedded = await startServer(PLATFORM);
  await using control = await role("control");
  await using gateway = await role("gateway");
  const token = control.hello["token"] ?? "";
  const apart: Side = { url: gateway.hello["url"] ?? "", token };
  const alone: Side = { url: embedded.hello["url"] ?? "", token: embedded.hello["token"] ?? "" };
  const api = { url: control.hello["url"] ?? "", token };
  for (const side of [alone, api]) await deploy({ ...side, name: "hello", code: HELLO_CODE });

  // Nobody takes it yet: what is measured is the acknowledgement.
  const { figures, queued } = await besideEcho(callOf(apart, "enqueue"), { rounds, seconds: 1 });
  const drainedFrom = performance.now();
  await using _invoker = await role("invoker");
  while ((await depthOf(api)) > 0) await new Promise((again) => setTimeout(again, 100));
  const drain_per_s = Math.round((queued / (performance.now() - drainedFrom)) * 1000);
  const asynchronous = { ...figures, drain_per_s };

  const calls: CallsReport["calls"] = [];
  for (const callers of [1, CALLERS]) {
    const pairs = [];
    for (let round = 0; round < rounds; round++) {
      const one = await load({ ...callOf(alone, "invoke"), connections: callers, seconds });
      const other = await load({ ...callOf(apart, "invoke"), connections: callers, seconds });
      pairs.push({ one, other });
    }
    calls.push({
      callers,
      embedded_per_s: Math.round(median(pairs.map(({ one }) => one.perSecond))),
      apart_per_s: Math.round(median(pairs.map(({ other }) => other.perSecond))),
      ratio: rounded(median(pairs.map(({ one, other }) => other.perSecond / one.perSecond))),
      p50_ratio: rounded(median(pairs.map(({ one, other }) => other.p50Us / one.p50Us))),
    });
  }
  return { calls, asynchronous, functions: await measureFunctions(api, apart, functions, seconds) };
}

/** Publishes more and more functions, and calls all of them evenly. */
async function measureFunctions(api: Side, gateway: Side, steps: readonly number[], seconds: number) {
  const found: CallsReport["functions"] = [];
  let published = 0;
  for (const count of steps) {
    const next = async (): Promise<void> => {
      while (published < count) await deploy({ ...api, name: `many-${published++}`, code: HELLO_CODE });
    };
    await Promise.all(Array.from({ length: 8 }, next));
    const untilMs = performance.now() + seconds * 1000;
    let calls = 0;
    const caller = async (): Promise<void> => {
      while (performance.now() < untilMs) {
        const name = `many-${Math.floor(Math.random() * count)}`;
        const response = await fetch(`${gateway.url}/v1/functions/${name}:invoke`, {
          method: "POST",
          headers: { authorization: `Bearer ${gateway.token}`, "content-type": "application/json" },
          body: "{}",
        });
        await response.arrayBuffer();
        if (response.ok) calls++;
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    found.push({ functions: count, calls_per_s: Math.round(calls / seconds) });
  }
  return found;
}

function callOf({ url, token }: Side, verb: "invoke" | "enqueue") {
  return {
    url: `${url}/v1/functions/hello:${verb}`,
    script: postScript({ authorization: `Bearer ${token}` }),
  };
}

async function depthOf({ url }: Side): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(/^cs_codeq_depth\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

const rounded = (ratio: number): number => Math.round(ratio * 100) / 100;
