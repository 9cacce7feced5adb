import test from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { temporaryFolder } from "./testing/run-command.ts";

const BIN = join(import.meta.dirname, "..", "..", "..", "bin", "cs.js");

/** Makes this Node look old, so that bin/cs.js has to find the project's; it cannot replace the process then. */
const LOOK_OLD = `data:text/javascript,${encodeURIComponent(
  'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "14.0.0" } }); delete process.execve;',
)}`;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  bin?: string;
  onStart?(pid: number): void;
}

async function run(
  nodeArgs: readonly string[],
  argv: readonly string[],
  home: string,
  { bin = BIN, onStart }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [...nodeArgs, bin, ...argv], {
    env: { PATH: process.env["PATH"], HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (part: Buffer) => (stdout += part.toString()));
  child.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
  onStart?.(child.pid ?? 0);
  await once(child, "close");
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
}

const WAYS = [
  ["on this Node", []],
  ["from a Node that is too old", ["--import", LOOK_OLD]],
] as const;

for (const [way, nodeArgs] of WAYS) {
  test(`bin/cs.js passes arguments, output and exit code through, ${way}`, async () => {
    await using home = await temporaryFolder();
    const good = await run(nodeArgs, ["--version"], home.path);
    assert.deepEqual(good, { code: 0, signal: null, stdout: "0.1.0\n", stderr: "" });
    const bad = await run(nodeArgs, ["fn", "get", "a b", "--api-url", "http://127.0.0.1:1"], home.path);
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /^error: cannot reach http:\/\/127\.0\.0\.1:1/);
  });

  test(`bin/cs.js ends by the signal it was sent, ${way}`, async () => {
    await using home = await temporaryFolder();
    // A request that is never answered holds the command until the signal comes.
    const server = createServer();
    const asked = once(server, "request");
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const argv = ["fn", "list", "--api-url", `http://127.0.0.1:${port}`];
      const ended = await run(nodeArgs, argv, home.path, {
        onStart: (pid) => void asked.then(() => process.kill(pid, "SIGTERM")),
      });
      assert.equal(ended.signal, "SIGTERM");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

test("a Node that is too old, without the project's beside it, says what to do", async () => {
  await using folder = await temporaryFolder();
  const root = join(import.meta.dirname, "..", "..", "..");
  for (const name of ["bin", "scripts"])
    await cp(join(root, name), join(folder.path, name), { recursive: true });
  await writeFile(join(folder.path, "package.json"), '{"type": "module"}');
  const bin = join(folder.path, "bin", "cs.js");
  const { code, stderr } = await run(["--import", LOOK_OLD], ["fn", "list"], folder.path, { bin });
  assert.equal(code, 1);
  assert.match(stderr, /^error: this needs Node 26 and found 14\.0\.0; run `npm install` in /);
});
