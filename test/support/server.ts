import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ENTRY = fileURLToPath(new URL("./serve.ts", import.meta.url));

/** A platform in a process of its own. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** The first token of a new data folder, with `auth` `local:`. */
  readonly token: string | undefined;
  /** Settles when the process is gone. */
  readonly ended: Promise<void>;
  /** `SIGKILL`, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface TestServerOptions {
  /** Settings of `startPlatform`, as JSON. */
  settings?: Record<string, unknown>;
  /** A command put before: `strace` and its arguments. */
  wrapper?: readonly string[];
}

interface Hello {
  url: string;
  pid: number;
  token?: string;
}

/** Starts a platform on a free port and waits until it serves. @throws when it ends first */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const settings = JSON.stringify({ port: 0, ...options.settings });
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", ENTRY, settings];
  const [command = "", ...args] = [...(options.wrapper ?? []), ...node];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
  const hello = await new Promise<Hello>((resolve, reject) => {
    child.once("exit", (code, signal) =>
      reject(new Error(`the server ended with ${signal ?? code}: ${stderr}`)),
    );
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith('{"url"')) resolve(JSON.parse(line) as Hello);
    });
  });
  return {
    url: hello.url,
    pid: hello.pid,
    token: hello.token,
    ended: exited,
    async kill() {
      process.kill(hello.pid, "SIGKILL");
      await exited;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
