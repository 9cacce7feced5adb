import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface ServerProcess extends AsyncDisposable {
  pid: number;
  /** What the server printed on its first line, as JSON. */
  hello: Record<string, string>;
}

/**
 * Starts a server of the bench as a process of its own and waits for its first line, a JSON object.
 * @throws when it ends first
 */
export async function startServer(entry: string, args: readonly string[] = []): Promise<ServerProcess> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const hello = await firstLine(child, entry);
  return {
    pid: child.pid ?? 0,
    hello,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      child.once("exit", () => resolve());
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await promise;
      clearTimeout(timer);
    },
  };
}

function firstLine(child: ChildProcess, entry: string): Promise<Record<string, string>> {
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, string>>();
  child.once("exit", (code, signal) => reject(new Error(`${entry} ended with ${signal ?? code}`)));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on("line", (line) => {
    if (!line.startsWith("{")) return;
    resolve(JSON.parse(line) as Record<string, string>);
  });
  return promise;
}
