import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missingPostgres, missingRedis, startPostgres, startProxy, startRedis } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";

const CS = fileURLToPath(new URL("../../bin/cs.js", import.meta.url));
const DRAIN_MS = 1000;
/** What a stop may take beyond its notice and `drain_ms`, and a second for the machine. */
const PATIENCE_MS = 5000 + 1000;
const missing = missingPostgres() ?? missingRedis();

test("cs serve ends in its time though a store says nothing any more", async (context) => {
  if (missing !== undefined) {
    skipUnlessRequired(context, missing);
    return;
  }
  await using postgres = await startPostgres();
  await using redis = await startRedis();
  await using proxy = await startProxy(postgres.port);
  const store = `postgres://sous@127.0.0.1:${proxy.port}/${postgres.database().name}`;
  using data = scratchFolder();
  const flags = [
    "--port",
    "0",
    "--store",
    store,
    "--codeq",
    redis.url,
    "--data",
    data.path,
    "--auth",
    "none",
  ];
  const child = spawn(process.execPath, [CS, "serve", "--json", ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"] ?? "",
      SOUS_DRAIN_MS: String(DRAIN_MS),
      SOUS_DRAIN_NOTICE_MS: "0",
      SOUS_LOG_LEVEL: "silent",
    },
  });
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  try {
    const started = Promise.withResolvers<string>();
    createInterface({ input: child.stdout }).on("line", (line) => {
      const said = JSON.parse(line) as { type?: string; url: string };
      if (said.type === "started") started.resolve(said.url);
    });
    void exited.then(([code]) => started.reject(new Error(`it ended with ${code}`)));
    const api = createApi(await started.promise);
    const files = { "function.js": "export default () => 1;", "manifest.json": manifest({}) };
    await api.deploy({ name: "hello", files });
    assert.equal((await api.invoke("hello", null)).status, "success");
    proxy.hold(true);
    // Its end waits for the store.
    assert.equal((await api.invoke("hello", null)).status, "success");
    await until(
      async () => (await fetch(`${api.url}/readyz`)).status === 503,
      "the store to be missed",
      20_000,
    );
    const toldAt = performance.now();
    child.kill("SIGTERM");
    const [code] = await exited;
    const tookMs = performance.now() - toldAt;
    assert.equal(code, 0);
    assert.ok(tookMs < DRAIN_MS + PATIENCE_MS, `it took ${Math.round(tookMs)} ms`);
  } finally {
    child.kill("SIGKILL");
  }
});
