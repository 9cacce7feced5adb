import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { globSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type S3Server, startProxy, startS3 } from "../testing/index.ts";
import { CONTRACT_BUNDLE_BYTES_MAX, describeBundleContract } from "./bundle-contract-suite.ts";
import { createS3Bundles } from "./s3-bundles.ts";

const BYTES = new TextEncoder().encode("a bundle");
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

void describe("bundles in S3", () => {
  let server: S3Server;
  before(async () => {
    server = await startS3();
  });
  after(() => server[Symbol.asyncDispose]());

  describeBundleContract("s3://", async () => {
    const url = server.url(`some/${randomUUID()}`);
    const { credentials } = server;
    const again = () => createS3Bundles({ url, credentials, bytesMax: CONTRACT_BUNDLE_BYTES_MAX });
    const bundles = await again();
    return { bundles, again, close: async () => bundles[Symbol.asyncDispose]() };
  });

  test("an unknown key is refused with the code, and no part of its secret is repeated", async () => {
    const credentials = { accessKeyId: "nobody", secretAccessKey: "wrong-and-secret" };
    await using bundles = await createS3Bundles({ url: server.url("x"), credentials });
    await assert.rejects(bundles.put(SHA256, BYTES), (error: Error & { code?: string }) => {
      assert.equal(error.code, "CS_BUNDLES_UNAVAILABLE");
      assert.doesNotMatch(error.message, /wrong-and-secret/);
      return true;
    });
  });

  test("a bucket that does not exist is told at the check and at every use, not as a missing bundle", async () => {
    const url = server.url("x").replace("s3://bundles", "s3://nowhere");
    await using bundles = await createS3Bundles({ url, credentials: server.credentials });
    await assert.rejects(bundles.check(), { code: "CS_BUNDLES_UNAVAILABLE" });
    await assert.rejects(bundles.get(SHA256), { code: "CS_BUNDLES_UNAVAILABLE" });
    await assert.rejects(bundles.put(SHA256, BYTES), { code: "CS_BUNDLES_UNAVAILABLE" });
  });

  test("what is set aside stays in the bucket for people to look at", async () => {
    const url = server.url("aside");
    await using bundles = await createS3Bundles({ url, credentials: server.credentials, now: () => 7 });
    await bundles.put(SHA256, BYTES);
    await bundles.quarantine(SHA256);
    const files = globSync(`bundles/aside/quarantine/${SHA256}.7.tar*`, { cwd: server.folder });
    assert.notEqual(files.length, 0);
  });

  test("a server that is silent is given up in the time it has, and used again when it speaks", async () => {
    await using proxy = await startProxy(server.port);
    const url = server.url("silent", proxy.port);
    await using bundles = await createS3Bundles({ url, credentials: server.credentials, timeoutMs: 500 });
    await bundles.put(SHA256, BYTES);
    proxy.hold(true);
    const startedAt = performance.now();
    await assert.rejects(bundles.get(SHA256), { code: "CS_BUNDLES_UNAVAILABLE" });
    assert.ok(performance.now() - startedAt < 5000);
    proxy.cut();
    assert.deepEqual(await bundles.get(SHA256), BYTES);
  });

  test("after a kill -9 of the server what was put is there, and the same client finds it", async () => {
    await using bundles = await createS3Bundles({
      url: server.url("killed"),
      credentials: server.credentials,
      timeoutMs: 3000,
    });
    await bundles.put(SHA256, BYTES);
    await server.kill();
    await assert.rejects(bundles.get(SHA256), { code: "CS_BUNDLES_UNAVAILABLE" });
    await server.restart();
    assert.deepEqual(await bundles.get(SHA256), BYTES);
  });
});

// Opt-in: a bucket that somebody has for it, with credentials as the client finds them.
const other = process.env["SOUS_TEST_S3"];
if (other !== undefined) {
  describeBundleContract("the bucket of SOUS_TEST_S3", async () => {
    const url = other.replace(/(\?|$)/, `/${randomUUID()}$1`);
    const again = () => createS3Bundles({ url, bytesMax: CONTRACT_BUNDLE_BYTES_MAX });
    const bundles = await again();
    return { bundles, again, close: async () => bundles[Symbol.asyncDispose]() };
  });
}
