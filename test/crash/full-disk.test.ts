import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const DISK_MIB = 16;
const LARGE = "x".repeat(100_000);

/** Fills a disk to the last byte. @returns the file that does it */
function fillDisk(folder: string): string {
  const path = join(folder, "filler");
  const file = openSync(path, "w");
  for (const bytes of [65_536, 4096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(bytes));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
  }
  closeSync(file);
  return path;
}

/** @returns why a small disk cannot be made here, or `undefined` when it is mounted */
function mountProblem(folder: string): string | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", folder], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `a small disk cannot be mounted here: ${String(error)}`;
  }
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

const enqueue = (api: Api): Promise<Response> => api.enqueue("echo", LARGE);

test("a full disk is a 503 that goes away with it, and nothing acknowledged is lost", async (context) => {
  using scratch = scratchFolder();
  const disk = join(scratch.path, "disk");
  mkdirSync(disk);
  const problem = mountProblem(disk);
  if (problem !== undefined) {
    skipUnlessRequired(context, problem);
    return;
  }
  try {
    const settings = { data: join(disk, "data") };
    const acknowledged: string[] = [];
    const answered: string[] = [];
    {
      await using server = await startServer({ settings });
      const api = createApi(server.url);
      const code = "export default (event) => ({ statusCode: 200, body: event });";
      const files = { "function.js": code, "manifest.json": manifest() };
      await api.deploy({ name: "echo", files });
      assert.equal((await api.invoke("echo", "warm")).status, "success");
      const filler = fillDisk(disk);

      // What the log of the store has left over may still take some.
      let refused: Response | undefined;
      for (let sent = 0; sent < 400 && refused === undefined; sent++) {
        const response = await enqueue(api);
        if (response.status === 202) {
          acknowledged.push(((await response.json()) as { activation_id: string }).activation_id);
        } else if (response.status !== 429) refused = response;
      }
      assert.ok(refused, "a full disk refuses");
      assert.equal(refused.status, 503);
      assert.match(await codeOf(refused), /^CS_(STORE_UNAVAILABLE|CODEQ_PUBLISH_FAILED)$/);
      const created = await api.call("POST", api.scope(), { name: "one-more", entry: "f".repeat(250) });
      assert.ok([201, 503].includes(created.status), `${created.status}`);
      await until(async () => (await api.call("GET", "/readyz")).status === 503, "/readyz to say so");
      assert.equal((await api.call("GET", "/healthz")).status, 200);

      // What needs no disk goes on; what promises one does not.
      for (let n = 0; n < 5; n++) {
        const answer = await api.invoke("echo", LARGE);
        assert.equal(answer.status, "success");
        answered.push(answer.activation_id);
        assert.equal((await api.activation(answer.activation_id)).status, "success", "kept in memory");
      }
      const body = { ref: { alias: "prod" }, event: LARGE };
      const keyed = await api.call("POST", `${api.scope()}/echo:invoke`, body, { "idempotency-key": "full" });
      assert.equal(keyed.status, 503, "a key is a promise to remember");
      assert.equal(await codeOf(keyed), "CS_STORE_UNAVAILABLE");

      rmSync(filler);
      await until(async () => (await api.call("GET", "/readyz")).status === 200, "/readyz to recover");
      const after = await enqueue(api);
      assert.equal(after.status, 202);
      acknowledged.push(((await after.json()) as { activation_id: string }).activation_id);
      await until(
        async () => (await api.activation(acknowledged.at(-1) ?? "")).status === "success",
        "new work",
      );
      for (const id of acknowledged) {
        await until(async () => (await api.activation(id)).status === "success", "work taken before");
      }
      // Records that waited in memory are written within a second or two; then they survive anything.
      const replayed = await api.call("POST", `${api.scope()}/echo:invoke`, body, {
        "idempotency-key": "full",
      });
      assert.equal(replayed.status, 200);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await server.kill();
    }
    await using server = await startServer({ settings });
    const api = createApi(server.url);
    for (const id of [...acknowledged, ...answered]) {
      await until(async () => (await api.activation(id)).status === "success", `activation ${id}`);
    }
    await until(async () => {
      const metrics = await (await api.call("GET", "/metrics")).text();
      return [...metrics.matchAll(/^cs_codeq_depth\{.*\} (\d+)$/gm)].every(([, depth]) => depth === "0");
    }, "an empty queue");
  } finally {
    execFileSync("umount", ["-l", disk]);
  }
});
