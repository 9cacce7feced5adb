import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { missingRedis, type S3Server, startRedis, startS3 } from "@sous/store/testing";
import { type Api, createApi, manifest } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const filesOf = (text: string): Record<string, string> => ({
  "manifest.json": manifest(),
  "function.js": `export default () => ({ body: ${JSON.stringify(text)} });`,
});

async function tierCount(api: Api, tier: string, outcome: string): Promise<number> {
  const text = await (await api.call("GET", "/metrics")).text();
  const line = new RegExp(
    `^cs_bundle_tier_requests_total\\{tier="${tier}",outcome="${outcome}"\\} (\\d+)$`,
    "m",
  );
  return Number(line.exec(text)?.[1]);
}

void describe("a platform whose bundles lie in S3 besides", () => {
  const data = scratchFolder();
  let s3: S3Server;
  let settings: Record<string, unknown>;
  let server: TestServer;
  let api: Api;

  const start = async (): Promise<void> => {
    server = await startServer({ settings });
    api = createApi(server.url);
  };
  const restart = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    await start();
  };
  before(async () => {
    s3 = await startS3();
    settings = {
      data: data.path,
      bundles: s3.url("sous"),
      "s3.access_key_id": s3.credentials.accessKeyId,
      "s3.secret_access_key": s3.credentials.secretAccessKey,
    };
    await start();
    await api.deploy({ name: "greet", files: filesOf("hello") });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await s3[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const objects = (): string[] =>
    globSync("bundles/sous/*.tar*", { cwd: s3.folder }).map((path) => path.replaceAll(/.*\/|\.tar.*/g, ""));
  const body = async (): Promise<string | undefined> => (await api.invoke("greet", null)).result?.body;

  test("a published bundle lies there under its hash", async () => {
    const { sha256 } = await api.publish({ name: "greet", files: filesOf("hello again") });
    assert.ok(objects().includes(sha256), objects().join());
    assert.equal(await body(), "hello again");
  });

  test("a bundle that is damaged in the store comes from there, is counted, and is mended", async () => {
    await server[Symbol.asyncDispose]();
    const db = new DatabaseSync(join(data.path, "sous.db"));
    assert.ok(Number(db.prepare("update bundles set bytes = zeroblob(2048)").run().changes) > 0);
    db.close();
    await start();
    assert.equal(await body(), "hello again");
    assert.equal(await tierCount(api, "store", "corrupt"), 1);
    assert.equal(await tierCount(api, "durable", "hit"), 1);
    await restart();
    assert.equal(await body(), "hello again");
    assert.equal(await tierCount(api, "store", "hit"), 1);
    assert.equal(await tierCount(api, "durable", "hit"), 0);
  });

  test("while S3 is away publishing is refused with its code; functions run, after a restart too", async () => {
    await s3.kill();
    const base = `${api.scope()}/greet`;
    const files = Object.fromEntries(
      Object.entries(filesOf("new")).map(([path, text]) => [path, Buffer.from(text).toString("base64")]),
    );
    const draft = await api.expect<{ draft_id: string }>(200, "PUT", `${base}/draft`, { files });
    const publish = { draft_id: draft.draft_id, alias: "prod" };
    const refused = await api.expect<{ error: { code: string } }>(503, "POST", `${base}/versions`, publish);
    assert.equal(refused.error.code, "CS_BUNDLES_UNAVAILABLE");
    assert.equal((await api.call("GET", "/readyz")).status, 200);
    await restart();
    assert.equal(await body(), "hello again");
    await s3.restart();
    await api.expect(201, "POST", `${base}/versions`, {
      ...publish,
      config: {
        authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: [], invoke_cadence_roles: [] },
      },
    });
    assert.equal(await body(), "new");
  });

  test("half a pair of credentials does not start", async () => {
    using other = scratchFolder();
    const half = { ...settings, data: other.path, "s3.secret_access_key": "" };
    await assert.rejects(startServer({ settings: half }), /CS_VALIDATION_FAILED.*set together/s);
  });
});

test("with the store in a server, bundles are kept on this machine's disk over restarts", async (context) => {
  const missing = missingRedis();
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  using data = scratchFolder();
  await using redis = await startRedis({});
  const settings = { data: data.path, store: redis.url, codeq: redis.url };
  {
    await using server = await startServer({ settings });
    const api = createApi(server.url);
    await api.deploy({ name: "greet", files: filesOf("hello") });
    assert.equal((await api.invoke("greet", null)).result?.body, "hello");
    assert.equal(await tierCount(api, "store", "hit"), 1);
  }
  {
    await using server = await startServer({ settings });
    const api = createApi(server.url);
    assert.equal((await api.invoke("greet", null)).result?.body, "hello");
    assert.equal(await tierCount(api, "disk", "hit"), 1);
    assert.equal(await tierCount(api, "store", "hit"), 0);
  }
});
