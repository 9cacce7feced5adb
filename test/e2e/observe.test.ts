import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { manifest } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";

const CODE = `export default async () => {
  const orders = (await cs.kv.get("orders:17")) ?? [];
  await cs.kv.set("orders:18", [...orders, 1]);
  await cs.codeq.publish("mail.out", { to: "ada" });
  const refused = [];
  for (const ask of [
    () => fetch("http://127.0.0.1:9999/v1/charges", { method: "POST", body: "{}" }),
    () => cs.secrets.get("stripe_key"),
  ]) {
    try { await ask(); } catch (error) { refused.push(error.code + " " + error.message); }
  }
  return { read: await cs.kv.get("orders:18"), refused };
};`;
const DENIED = "CS_RUNTIME_CAPABILITY_DENIED";

interface Observed {
  status: string;
  result?: { body: string };
  error?: { type: string };
  observed?: {
    calls: { kind: string; what: string; count: number; allowed: boolean }[];
    capabilities: Record<string, unknown>;
    secrets: string[];
  };
}

describe("fn test --observe", () => {
  const folder = scratchFolder();
  before(() => {
    writeFileSync(join(folder.path, "function.js"), CODE);
    writeFileSync(join(folder.path, "manifest.json"), manifest());
  });
  after(() => folder[Symbol.dispose]());

  async function run(...options: string[]): Promise<{ code: number; run: Observed }> {
    const argv = ["fn", "test", "observed", "--path", folder.path, "--json", ...options];
    const { code, stdout, stderr } = await runCs("http://127.0.0.1:1", argv);
    assert.notEqual(stdout, "", stderr);
    return { code, run: JSON.parse(stdout) as Observed };
  }

  test("denies everything and tells what was asked for first", async () => {
    const { code, run: observed } = await run("--observe");
    assert.equal(code, 3);
    assert.equal(observed.error?.type, "CapabilityDenied");
    assert.deepEqual(observed.observed, {
      calls: [{ kind: "kv", what: "get orders:17", count: 1, allowed: false }],
      capabilities: { kv: { prefixes: ["orders:"], ops: ["get"] } },
      secrets: [],
    });
  });

  test("with allow goes on, and what it prints is enough for the manifest", async () => {
    const { code, run: observed } = await run("--observe=allow");
    assert.equal(code, 0, JSON.stringify(observed));
    const body = JSON.parse(observed.result?.body ?? "") as { read: number[]; refused: string[] };
    assert.deepEqual(body.read, [1]);
    for (const refusal of body.refused) assert.ok(refusal.startsWith(DENIED), refusal);
    assert.deepEqual(observed.observed?.capabilities, {
      kv: { prefixes: ["orders:"], ops: ["get", "set"] },
      codeq: { publishTopics: ["mail.out"] },
      http: { allow: [{ host: "127.0.0.1", methods: ["POST"], ports: [9999], paths: ["/v1/charges"] }] },
    });
    assert.deepEqual(observed.observed?.secrets, ["stripe_key"]);
    const { capabilities } = observed.observed ?? {};
    writeFileSync(join(folder.path, "manifest.json"), manifest({ capabilities }));
    const { code: enough, run: again } = await run();
    assert.equal(enough, 0, JSON.stringify(again));
    assert.equal(again.observed, undefined);
    const after = JSON.parse(again.result?.body ?? "") as typeof body;
    assert.deepEqual(after.read, [1]);
    assert.match(
      after.refused[0] ?? "",
      /not on the public Internet/,
      "the rule allows it, the network does not",
    );
  });

  test("a mode that is none is refused", async () => {
    const argv = ["fn", "test", "observed", "--path", folder.path, "--observe=all"];
    const { code, stderr } = await runCs("http://127.0.0.1:1", argv);
    assert.equal(code, 1);
    assert.match(stderr, /none of deny, allow/);
  });
});
