import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startPlatform } from "./start-platform.ts";

test("a start that failed leaves the first token to the next one", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "sous-start-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const flags = { data, auth: "local:", log_level: "silent" };
  const { port } = taken.address() as AddressInfo;
  await assert.rejects(startPlatform({ mode: "serve", flags: { ...flags, port }, env: {} }), {
    code: "EADDRINUSE",
  });
  const first = await startPlatform({ mode: "serve", flags: { ...flags, port: 0 }, env: {} });
  await first.close();
  assert.match(first.firstToken ?? "none", /^\S{20,}$/);
  const second = await startPlatform({ mode: "serve", flags: { ...flags, port: 0 }, env: {} });
  await second.close();
  assert.equal(second.firstToken, undefined, "it is told once");
});
