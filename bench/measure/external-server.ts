import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract";

const READY_MS = 15_000;

export interface ExternalServer extends AsyncDisposable {
  pid: number;
  url: string;
}

/** @returns a port of the loopback address that was free a moment ago */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/**
 * Starts a server that is not ours and waits until it answers a POST.
 * @param command gets the port. @throws when it does not answer within 15 s
 */
export async function startExternal(
  command: (port: number) => { file: string; args: string[]; cwd: string },
): Promise<ExternalServer> {
  const port = await freePort();
  const { file, args, cwd } = command(port);
  const child = spawn(file, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}/`;
  const stop = (): Promise<void> => end(child);
  const endMs = Date.now() + READY_MS;
  while (!(await answers(url))) {
    if (Date.now() < endMs && child.exitCode === null) {
      await sleep(100);
      continue;
    }
    await stop();
    throw new PlatformError("CS_INTERNAL", `${file} did not answer at ${url}`);
  }
  return { pid: child.pid ?? 0, url, [Symbol.asyncDispose]: stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    const body = JSON.stringify({ name: "x" });
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
