import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileSync } from "node:fs";
import { freePort } from "./free-port.ts";

const START_PATIENCE_MS = 10_000;

export interface NatsServerOptions {
  /** Whether it has JetStream (true). */
  jetstream?: boolean;
  /** Largest message in bytes (16 Mi). */
  payloadBytesMax?: number;
  /** What a client must say, if anything. */
  login?: { user: string; password: string } | undefined;
}

/** A server of a test's own, on a free port of this machine, with its files in a folder that goes away with it. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** `SIGKILL`, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the files it left. */
  restart(): Promise<void>;
}

/** @returns why there is no server to start here, or `undefined` */
export function missingNats(): string | undefined {
  try {
    execFileSync("nats-server", ["--version"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "there is no nats-server; install it, on Debian with apt-get install nats-server";
  }
}

/** Starts a server and waits until it answers. Needs `nats-server` on the path; see `missingNats`. */
export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const folder = mkdtempSync(join(tmpdir(), "sous-nats-"));
  const port = await freePort();
  const settings = join(folder, "nats.conf");
  writeFileSync(settings, settingsOf(folder, port, options));
  const launch = (): ChildProcess => spawn("nats-server", ["-c", settings], { stdio: "ignore" });
  let child = launch();
  await answers(child, port);
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    kill: end,
    async restart() {
      child = launch();
      await answers(child, port);
    },
    async [Symbol.asyncDispose]() {
      await end();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function settingsOf(folder: string, port: number, options: NatsServerOptions): string {
  const { jetstream = true, payloadBytesMax = 16 * 1024 * 1024, login } = options;
  const lines = ['host: "127.0.0.1"', `port: ${port}`, `max_payload: ${payloadBytesMax}`];
  if (jetstream) lines.push(`jetstream { store_dir: ${JSON.stringify(folder)} }`);
  if (login !== undefined) {
    lines.push(`authorization { user: "${login.user}", password: "${login.password}" }`);
  }
  return `${lines.join("\n")}\n`;
}

/** Waits for the greeting every server begins with. */
async function answers(child: ChildProcess, port: number): Promise<void> {
  let hasEnded = false;
  const onEnd = (): void => void (hasEnded = true);
  child.once("exit", onEnd);
  child.once("error", onEnd);
  const endMs = Date.now() + START_PATIENCE_MS;
  while (!(await greeting(port).catch(() => "")).startsWith("INFO ")) {
    if (hasEnded) throw new Error("nats-server ended at once");
    if (Date.now() > endMs) throw new Error("nats-server does not answer");
    await sleep(10);
  }
  child.off("exit", onEnd);
}

async function greeting(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    const [chunk] = (await once(socket, "data")) as [Buffer];
    return chunk.toString();
  } finally {
    socket.destroy();
  }
}
