import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";

const INSTALLED = fileURLToPath(
  new URL("../../../../node_modules/.cache/moto/bin/moto_server", import.meta.url),
);
const PROGRAM = process.env["SOUS_TEST_MOTO"] ?? INSTALLED;
const START_PATIENCE_MS = 60_000;

/** SQS and S3 on this machine: moto, a server of the protocols of AWS in Python. */
export interface MotoServer extends AsyncDisposable {
  readonly url: string;
  /** Keys as a source's secret holds them; any are right. */
  readonly secret: string;
  /** For official clients in tests. */
  readonly client: {
    endpoint: string;
    region: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
  kill(): Promise<void>;
  /** Starts it again on the same port, with nothing in it. */
  restart(): Promise<void>;
}

/** @returns why there is no server to start here, or `undefined` */
export function missingMoto(): string | undefined {
  if (existsSync(PROGRAM)) return undefined;
  return "there is no moto; install it with `python3 -m venv node_modules/.cache/moto && node_modules/.cache/moto/bin/pip install 'moto[server]==5.2.5'`, or name its moto_server in SOUS_TEST_MOTO";
}

/** Starts a server and waits until it answers. */
export async function startMoto(): Promise<MotoServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child = await launch(port, url);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return {
    url,
    secret: JSON.stringify({ access_key_id: "test", secret_access_key: "test" }),
    client: {
      endpoint: url,
      region: "us-east-1",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    },
    kill,
    async restart() {
      child = await launch(port, url);
    },
    [Symbol.asyncDispose]: kill,
  };
}

async function launch(port: number, url: string): Promise<ChildProcess> {
  const child = spawn(PROGRAM, ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const endMs = Date.now() + START_PATIENCE_MS;
  for (;;) {
    if (child.exitCode !== null || Date.now() > endMs) throw new Error("moto_server does not start");
    const isUp = await fetch(`${url}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return child;
    await sleep(50);
  }
}
