import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const HELLO = { "manifest.json": manifest(), "function.js": "export default () => 1;" };
const CLOCK = { "budgets.window_seconds": 86_400 };

interface Refusal {
  error: { code: string; message: string; details: Record<string, unknown> };
}

async function withBudgets(
  settings: Record<string, unknown>,
  use: (api: Api, url: string) => Promise<void>,
  local = false,
): Promise<void> {
  using data = scratchFolder();
  const auth = local ? { auth: "local:" } : {};
  await using server = await startServer({ settings: { data: data.path, ...auth, ...settings } });
  await use(createApi(server.url, server.token), server.url);
}

async function checkSpent(answer: Response, budget: string): Promise<void> {
  const { error } = (await answer.json()) as Refusal;
  assert.equal(answer.status, 429, error.message);
  assert.equal(error.code, "CS_BUDGET_EXHAUSTED");
  assert.equal(error.details["budget"], budget);
  const seconds = Number(answer.headers.get("retry-after"));
  assert.ok(seconds >= 1 && seconds <= 86_400, `retry-after ${seconds}`);
}

describe("budgets of tenants and tokens", () => {
  test("invocations of a tenant end at their number, over every door; another tenant goes on", () =>
    withBudgets({ ...CLOCK, "budgets.tenant_invocations": 3 }, async (api) => {
      await api.deploy({ name: "hello", files: HELLO });
      await api.deploy({ name: "hello", files: HELLO, tenant: "t_other00" });
      for (let call = 0; call < 3; call++) assert.equal((await api.invoke("hello", null)).status, "success");
      for (const [method, path, body] of [
        ["POST", `${api.scope()}/hello:invoke`, { ref: { alias: "prod" } }],
        ["POST", "/v1/functions/hello:invoke", null],
        ["POST", "/v1/functions/hello:enqueue", null],
        ["GET", "/v1/web/t_default/default/hello/prod/", undefined],
      ] as const) {
        await checkSpent(await api.call(method, path, body), "tenant_invocations");
      }
      assert.equal((await api.invoke("hello", null, { tenant: "t_other00" })).status, "success");
      assert.equal((await api.call("GET", `${api.scope()}/hello`)).status, 200, "reading goes on");
    }));

  test("processor time that was used refuses what comes next", () =>
    withBudgets({ ...CLOCK, "budgets.tenant_cpu_ms": 400 }, async (api) => {
      const code = "export default () => { const until = Date.now() + 150; while (Date.now() < until); };";
      await api.deploy({ name: "works", files: { ...HELLO, "function.js": code } });
      assert.equal((await api.invoke("works", null)).status, "success");
      // How much of its time a call has a processor is the machine's to say.
      const path = `${api.scope()}/works:invoke`;
      const call = (): Promise<Response> => api.call("POST", path, { ref: { alias: "prod" } });
      let answer = await call();
      for (let calls = 2; answer.status === 200 && calls < 20; calls++) answer = await call();
      await checkSpent(answer, "tenant_cpu_ms");
    }));

  test("a token's budget is its own", () =>
    withBudgets(
      { ...CLOCK, "budgets.token_invocations": 2 },
      async (api, url) => {
        await api.deploy({ name: "hello", files: HELLO });
        const made = await api.expect<{ token: string }>(201, "POST", "/v1/tokens", {
          sub: "ci",
          tenant: "t_default",
          roles: ["admin"],
        });
        const ci = createApi(url, made.token);
        const call = (client: Api) => client.call("POST", "/v1/functions/hello:invoke", null);
        for (let turn = 0; turn < 2; turn++) assert.equal((await call(ci)).status, 200);
        await checkSpent(await call(ci), "token_invocations");
        assert.equal((await call(api)).status, 200);
      },
      true,
    ));
});

describe("functions that call functions", () => {
  test("a circle ends at its depth with a clear error, and each record says how deep it was", () =>
    withBudgets({ "budgets.depth_max": 4, "egress.private_allow": ["127.0.0.1/32"] }, async (api, url) => {
      const code = `export default async (event) => {
          const headers = { "x-cs-depth": "0", "X-CS-Depth": "0" };
          const answer = await cs.http.fetch("${url}/v1/web/t_default/default/circle/prod/", { headers });
          const body = new TextDecoder().decode(Uint8Array.fromBase64(answer.body));
          return { statusCode: answer.status, body };
        };`;
      const capabilities = { http: { allowHosts: ["127.0.0.1"] } };
      const files = { "function.js": code, "manifest.json": manifest({ capabilities }) };
      await api.deploy({ name: "circle", files });
      const answer = await api.call("GET", "/v1/web/t_default/default/circle/prod/");
      const { error } = (await answer.json()) as Refusal;
      assert.equal(answer.status, 508);
      assert.equal(error.code, "CS_CALL_DEPTH_EXCEEDED");
      assert.match(error.message, /4 functions called one another/);
      await until(async () => {
        const page = await api.expect<{ items: { depth?: number; status: string }[] }>(
          200,
          "GET",
          "/v1/tenants/t_default/activations",
        );
        const depths = page.items.map(({ depth = 0 }) => depth).sort();
        return page.items.every(({ status }) => status === "success") && depths.join() === "0,1,2,3";
      }, "four records, each one deeper");
    }));
});
