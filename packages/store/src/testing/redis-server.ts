import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";

const START_PATIENCE_MS = 10_000;
const SLOTS = 16_384;
/** What only fixtures send, or they too. */
const FIXTURE_COMMANDS = new Set(["CLUSTER", "CONFIG", "ECHO", "KEYS", "MONITOR", "PING"]);

export interface RedisServerOptions {
  /** Runs as a cluster of one node that holds all slots: a script that crosses slots fails there. */
  cluster?: boolean;
  /** Syncs the append-only file with every write: what was answered is on disk. */
  durable?: boolean;
}

/** A server of a test's own, on a free port of this machine, with its files in a folder that goes away with it. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** @returns the names of all commands it was given so far, those of scripts included, but not the fixture's own */
  commands(): Promise<string[]>;
  /** @returns the keys of a pattern, as `KEYS` finds them */
  keys(pattern: string): Promise<string[]>;
  /** Sets a setting until it ends. */
  configure(name: string, value: string): Promise<void>;
  /** `SIGKILL`, and waits until it is gone. */
  kill(): Promise<void>;
  /** `SIGSTOP`: it keeps its connections and says nothing any more, until `resume`. */
  pause(): void;
  resume(): void;
  /** Starts it again on the same port with the files it left. */
  restart(): Promise<void>;
}

/** @returns why there is no server to start here, or `undefined` */
export function missingRedis(): string | undefined {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "there is no redis-server; install it, on Debian with apt-get install redis-server";
  }
}

/** Starts a server and waits until it answers. Needs `redis-server` on the path; see `missingRedis`. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "sous-redis-"));
  const port = await freePort();
  let child = launch(folder, port, options);
  await answers(child, port);
  if (options.cluster === true) await command(port, `CLUSTER ADDSLOTSRANGE 0 ${SLOTS - 1}`);
  if (options.cluster === true)
    await until(port, "CLUSTER INFO", (reply) => reply.includes("cluster_state:ok"));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async commands() {
      const stats = await command(port, "INFO commandstats");
      const names = [...stats.matchAll(/^cmdstat_([a-z]+)/gm)].map(([, name = ""]) => name.toUpperCase());
      return names.filter((name) => !FIXTURE_COMMANDS.has(name));
    },
    async keys(pattern) {
      const lines = (await command(port, `KEYS ${pattern}`)).split("\r\n");
      return lines.slice(1).filter((line) => line !== "" && !line.startsWith("$"));
    },
    async configure(name, value) {
      await command(port, `CONFIG SET ${name} ${value}`);
    },
    kill: () => end("SIGKILL"),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async restart() {
      child = launch(folder, port, options);
      await answers(child, port);
    },
    async [Symbol.asyncDispose]() {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function launch(folder: string, port: number, { cluster, durable }: RedisServerOptions): ChildProcess {
  const settings = {
    bind: "127.0.0.1",
    port,
    dir: folder,
    save: "",
    "enable-debug-command": "local",
    ...(durable === true ? { appendonly: "yes", appendfsync: "always" } : {}),
    ...(cluster === true ? { "cluster-enabled": "yes", "cluster-port": 0 } : {}),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return spawn("redis-server", args, { stdio: "ignore" });
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  let hasEnded = false;
  const onEnd = (): void => void (hasEnded = true);
  child.once("exit", onEnd);
  child.once("error", onEnd);
  await until(port, "PING", (reply) => {
    if (hasEnded) throw new Error("redis-server ended at once");
    return reply.startsWith("+PONG");
  });
  child.off("exit", onEnd);
}

async function until(port: number, line: string, holds: (reply: string) => boolean): Promise<void> {
  const endMs = Date.now() + START_PATIENCE_MS;
  for (;;) {
    if (holds(await command(port, line).catch(() => ""))) return;
    if (Date.now() > endMs) throw new Error(`redis-server does not answer ${line}`);
    await sleep(10);
  }
}

/** Sends one command as a line, without a client: the tests' own must not depend on what they test. */
async function command(port: number, line: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    socket.write(`${line}\r\n`);
    const [chunk] = (await once(socket, "data")) as [Buffer];
    return chunk.toString();
  } finally {
    socket.destroy();
  }
}
