import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";

const BUCKET = "bundles";

/** A server of the S3 protocol of a test's own (the npm package s3rver), on a free port, with its files in a folder. */
export interface S3Server extends AsyncDisposable {
  readonly port: number;
  /** Where its files lie: objects are files of their names in it. */
  readonly folder: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string };
  /** `s3://…` of its bucket with a prefix of the caller's, through another port where one is given. */
  url(prefix: string, port?: number): string;
  /** `SIGKILL`, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the files it left. */
  restart(): Promise<void>;
}

/**
 * Starts a server with one bucket and waits until it answers. It knows one access key, and checks no signatures of version 4.
 * @param host the address of this machine it listens on (127.0.0.1)
 */
export async function startS3(host = "127.0.0.1"): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), "sous-s3-"));
  const port = await freePort();
  let child = await launch(folder, host, port);
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return {
    port,
    folder,
    credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    url: (prefix, through = port) =>
      `s3://${BUCKET}/${prefix}?endpoint=http://${host}:${through}&region=us-east-1`,
    kill,
    async restart() {
      child = await launch(folder, host, port);
    },
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(folder: string, host: string, port: number): Promise<ChildProcess> {
  const program = fileURLToPath(new URL("./s3-program.ts", import.meta.url));
  const child = spawn(process.execPath, ["--no-deprecation", program, folder, host, String(port), BUCKET], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {},
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  const ended = once(child, "exit").then(() => {
    throw new Error(`the S3 server does not start: ${said}`);
  });
  await Promise.race([once(child.stdout as Readable, "data"), ended]);
  ended.catch(() => {});
  return child;
}
