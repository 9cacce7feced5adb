import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** Functions that use up one budget each, and what they end as in every tier. */
const BREAKERS: readonly [name: string, budgets: Record<string, number>, type: string, code: string][] = [
  ["cpu", { cpuMs: 100 }, "BudgetExceeded cpu_ms 100", "export default () => { for (;;); };"],
  [
    "calls",
    { hostCalls: 3 },
    "BudgetExceeded host_calls 3",
    'export default async () => { for (;;) await cs.kv.get("k").catch(() => 0); };',
  ],
  [
    "timers",
    { timers: 2 },
    "BudgetExceeded timers 2",
    "export default () => { for (let i = 0; i < 3; i++) setTimeout(() => {}, 1); };",
  ],
  ["result", { resultBytes: 10 }, "ResultTooLarge result_bytes 10", 'export default () => "x".repeat(20);'],
  [
    "external",
    { externalMemoryMb: 8 },
    "MemoryLimit external_memory_mb 8",
    "export default async () => { const all = []; for (;;) { all.push(new Uint8Array(3e6).fill(1)); await new Promise((done) => setTimeout(done, 1)); } };",
  ],
];
const CODES: Record<string, string> = {
  BudgetExceeded: "CS_RUNTIME_BUDGET_EXCEEDED",
  ResultTooLarge: "CS_RUNTIME_RESULT_TOO_LARGE",
  MemoryLimit: "CS_RUNTIME_MEMORY_LIMIT",
};

interface Failed {
  type: string;
  code?: string;
  message: string;
  details?: { budget: string; limit: number };
}
const said = (error: Failed | undefined): string =>
  `${error?.type} ${error?.details?.budget} ${error?.details?.limit}`;

describe("budgets", () => {
  const data = mkdtempSync(join(tmpdir(), "sous-budgets-"));
  const origin = createServer();
  let at = "";
  let open = 0;
  let openMax = 0;
  let server: TestServer;
  let api: Api;

  before(async () => {
    origin.on("request", (request, response) => {
      openMax = Math.max(openMax, ++open);
      const bytes = Number(new URL(request.url ?? "/", "http://a").searchParams.get("bytes") ?? 0);
      setTimeout(() => {
        open--;
        response.end("x".repeat(bytes));
      }, 30);
    });
    origin.listen(0, "127.0.0.1");
    await once(origin, "listening");
    at = `http://127.0.0.1:${(origin.address() as AddressInfo).port}/`;
    server = await startServer({ settings: { data, "egress.private_allow": ["127.0.0.1/32"] } });
    api = createApi(server.url);
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
    origin.closeAllConnections();
    origin.close();
    rmSync(data, { recursive: true, force: true });
  });

  const deploy = async (
    name: string,
    code: string,
    budgets: Record<string, number>,
    config: Record<string, unknown> = {},
  ): Promise<void> => {
    const capabilities = { http: { allowHosts: ["127.0.0.1"] } };
    const limits = { timeoutMs: 10_000 };
    const files = { "function.js": code, "manifest.json": manifest({ budgets, capabilities, limits }) };
    await api.deploy({ name, files, config });
  };

  for (const [name, budgets, ends, code] of BREAKERS) {
    test(`${name}: the same end from a server, in its record, over the web and from cs fn test`, async () => {
      await deploy(`over-${name}`, code, budgets);
      const answer = await api.invoke(`over-${name}`, null);
      const error = answer.error as Failed;
      assert.equal(said(error), ends, error?.message);
      assert.equal(error.code, CODES[error.type]);
      assert.ok(answer.duration_ms < 5000, `${answer.duration_ms} ms`);

      let record: Record<string, unknown> = {};
      await until(
        async () => (record = await api.activation(answer.activation_id))["status"] === "error",
        "its record",
      );
      assert.equal(said(record["error"] as Failed), ends);

      const web = await api.call("GET", `/v1/web/t_default/default/over-${name}/prod/`);
      const body = (await web.json()) as { error: Failed & { details: Record<string, unknown> } };
      assert.equal(web.status, 502);
      assert.equal(
        `${body.error.code} ${body.error.details["budget"]}`,
        `${error.code} ${ends.split(" ")[1]}`,
      );

      const folder = join(data, `over-${name}`);
      mkdirSync(folder);
      writeFileSync(join(folder, "function.js"), code);
      writeFileSync(
        join(folder, "manifest.json"),
        manifest({ budgets, limits: { timeoutMs: 10_000 }, capabilities: {} }),
      );
      const local = await runCs(server.url, ["fn", "test", `over-${name}`, "--path", folder, "--json"]);
      assert.equal(local.code, 3, local.stderr);
      assert.equal(said((JSON.parse(local.stdout) as { error: Failed }).error), ends);
    });
  }

  test("bytes of calls out end at their budget, and a caught refusal is the handler's business", async () => {
    const code = `export default async ({ caught }) => {
      const load = () => cs.http.fetch("${at}?bytes=3000", {});
      await load();
      if (!caught) { await load(); await load(); await load(); return "never"; }
      for (let call = 0; call < 5; call++) try { await load(); } catch (error) { return [error.code, error.budget]; }
    };`;
    await deploy("egress", code, { egressBytes: 8000 });
    const uncaught = await api.invoke("egress", { caught: false });
    assert.equal(said(uncaught.error as Failed), "BudgetExceeded egress_bytes 8000");
    const caught = await api.invoke("egress", { caught: true });
    assert.equal(caught.result?.body, '["CS_RUNTIME_BUDGET_EXCEEDED","egress_bytes"]');
    let record: Record<string, unknown> = {};
    await until(
      async () => (record = await api.activation(caught.activation_id))["status"] === "success",
      "its record",
    );
    assert.ok(Number(record["egress_bytes"]) > 8000 && Number(record["egress_bytes"]) < 20_000);
  });

  test("HTTP calls past the budget of open ones wait for their turn", async () => {
    const code = `export default async () => {
      const all = Array.from({ length: 12 }, () => cs.http.fetch("${at}", {}));
      return (await Promise.all(all)).map(({ status }) => status).join();
    };`;
    await deploy("opens", code, { openFetches: 3 });
    openMax = 0;
    const answer = await api.invoke("opens", null);
    assert.equal(JSON.parse(answer.result?.body ?? '""'), Array(12).fill(200).join());
    assert.equal(openMax, 3);
    const { stdout } = await runCs(server.url, ["activation", "get", answer.activation_id, "--json"]);
    assert.equal((JSON.parse(stdout) as { usage: { open_fetches: number } }).usage.open_fetches, 3);
  });

  test("a log is cut at its budget and says so", async () => {
    await deploy(
      "talks",
      'export default () => { for (let i = 0; i < 99; i++) console.log("0123456789"); };',
      {
        logBytes: 200,
      },
    );
    const { activation_id: id } = await api.invoke("talks", null);
    let record: Record<string, unknown> = {};
    await until(async () => (record = await api.activation(id))["status"] === "success", "its record");
    assert.equal(record["logs_truncated"], true);
    const { chunks } = await api.expect<{ chunks: string[] }>(
      200,
      "GET",
      `/v1/tenants/t_default/activations/${id}/logs`,
    );
    assert.ok(chunks.length > 5 && chunks.length < 15, String(chunks.length));
    assert.match(chunks.at(-1) ?? "", /log_bytes/);
  });

  test("explain shows what was used of each budget", async () => {
    const { activation_id: id } = await api.invoke("over-calls", null);
    await until(async () => (await api.activation(id)).status === "error", "its record");
    const { stdout } = await runCs(server.url, ["activation", "explain", id]);
    const record = JSON.parse(stdout) as { host_calls: number; cpu_ms: number };
    assert.ok(record.host_calls >= 3);
    assert.ok(record.cpu_ms > 0);
  });

  test("a config moves budgets of the function's own work, and only narrows its reach", async () => {
    const source = { "function.js": "export default () => 1;" };
    const declared = manifest({ budgets: { cpuMs: 100, hostCalls: 10 } });
    await api.deploy({ name: "merged", files: { ...source, "manifest.json": declared } });
    const files = { ...source, "manifest.json": declared };
    const set = { cpu_ms: 500, host_calls: 5, egress_bytes: 1000 };
    const { version } = await api.publish({ name: "merged", files, config: { budgets: set } });
    const { config } = await api.expect<{ config: { budgets: Record<string, number> } }>(
      200,
      "GET",
      `${api.scope()}/merged/versions/${version}`,
    );
    assert.deepEqual({ ...config.budgets, ...set }, config.budgets);
    assert.equal(config.budgets["external_memory_mb"], 64);
    for (const [budgets, message] of [
      [{ host_calls: 11 }, /host_calls.*10.*narrow/],
      [{ external_memory_mb: 65 }, /external_memory_mb/],
      [{ unknown: 1 }, /unknown/],
      [{ cpu_ms: 0 }, /cpu_ms/],
    ] as const) {
      await assert.rejects(api.publish({ name: "merged", files, config: { budgets } }), message);
    }
  });
});
