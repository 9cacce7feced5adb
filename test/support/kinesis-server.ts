import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@sous/store/testing";

const PROGRAM = createRequire(import.meta.url).resolve("kinesis-local");
const START_PATIENCE_MS = 60_000;

/** Kinesis on this machine: kinesis-local, whose shards end when they are split and merged, as moto's do not. */
export interface KinesisServer extends AsyncDisposable {
  readonly url: string;
}

/** Starts a server with nothing in it, and waits until it answers. */
export async function startKinesis(): Promise<KinesisServer> {
  const port = await freePort();
  const env = {
    ...process.env,
    KINESIS_MOCK_PLAIN_PORT: String(port),
    KINESIS_MOCK_TLS_PORT: String(await freePort()),
    CREATE_STREAM_DURATION: "50ms",
    SPLIT_SHARD_DURATION: "50ms",
    MERGE_SHARDS_DURATION: "50ms",
    LOG_LEVEL: "ERROR",
  };
  // It looks for its certificate where it is started.
  const child = spawn(process.execPath, [PROGRAM], { env, cwd: dirname(PROGRAM), stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  const endMs = Date.now() + START_PATIENCE_MS;
  while (!(await answers(url))) {
    if (child.exitCode === null && Date.now() < endMs) await sleep(50);
    else {
      await kill();
      throw new Error("kinesis-local does not start");
    }
  }
  return { url, [Symbol.asyncDispose]: kill };
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/healthcheck`).then(
    ({ ok }) => ok,
    () => false,
  );
