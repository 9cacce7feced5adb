import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const HELLO = { "manifest.json": manifest(), "function.js": "export default () => 1;" };
const OFTEN = 1000;

async function withLimits(limits: Record<string, number>, use: (api: Api) => Promise<void>): Promise<void> {
  using data = scratchFolder();
  const rates = { tenant_rps: OFTEN, function_rps: OFTEN, client_rps: OFTEN, ...limits };
  const settings = Object.entries(rates).map(([name, rate]) => [`rate_limits.${name}`, rate]);
  await using server = await startServer({
    settings: { data: data.path, "rate_limits.enabled": true, ...Object.fromEntries(settings) },
  });
  await use(createApi(server.url));
}

async function refusedAmong(calls: Promise<Response>[]): Promise<Response[]> {
  const answers = await Promise.all(calls);
  for (const answer of answers) assert.ok([200, 429].includes(answer.status), `status ${answer.status}`);
  return answers.filter(({ status }) => status === 429);
}

async function checkRefusal(refused: Response | undefined, whose: RegExp): Promise<void> {
  assert.ok(refused, "somebody was refused");
  const seconds = Number(refused.headers.get("retry-after"));
  assert.ok(Number.isInteger(seconds) && seconds >= 1, `retry-after ${seconds}`);
  const { error } = (await refused.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, "CS_RATE_LIMITED");
  assert.match(error.message, whose);
}

// The rates are a call in tens of seconds: how slow this machine is plays no part.
describe("rate limits", () => {
  test("of a function's reference: others go on, and so does this one after a while", () =>
    withLimits({ function_rps: 2 }, async (api) => {
      await api.deploy({ name: "limited", files: HELLO });
      await api.deploy({ name: "beside", files: HELLO });
      const web = (name: string) => api.call("GET", `/v1/web/t_default/default/${name}/prod/`);
      const refused = await refusedAmong(Array.from({ length: 30 }, () => web("limited")));
      assert.ok(refused.length > 0 && refused.length < 30, `${refused.length} of 30 were refused`);
      await checkRefusal(refused[0], /for this function/);
      assert.equal((await web("beside")).status, 200);
      await until(async () => (await web("limited")).status === 200, "the bucket to fill again");
    }));

  test("of a tenant, over every door", () =>
    withLimits({ tenant_rps: 0.05 }, async (api) => {
      await api.deploy({ name: "limited", files: HELLO });
      await api.deploy({ name: "limited", files: HELLO, tenant: "t_other00" });
      const body = { ref: { alias: "prod" } };
      assert.equal((await api.call("POST", `${api.scope()}/limited:invoke`, body)).status, 200);
      for (const refused of [
        await api.call("POST", `${api.scope()}/limited:invoke`, body),
        await api.call("POST", "/v1/functions/limited:invoke", null),
        await api.call("POST", "/v1/functions/limited:enqueue", null),
        await api.call("GET", "/v1/web/t_default/default/limited/prod/"),
      ]) {
        assert.equal(refused.status, 429);
        await checkRefusal(refused, /of this tenant/);
      }
      assert.equal((await api.call("POST", `${api.scope("t_other00")}/limited:invoke`, body)).status, 200);
    }));

  test("of a client's address, which no header can change", () =>
    withLimits({ client_rps: 0.05 }, async (api) => {
      await api.deploy({ name: "limited", files: HELLO });
      const web = (headers: Record<string, string>) =>
        api.call("GET", "/v1/web/t_default/default/limited/prod/", undefined, headers);
      assert.equal((await web({})).status, 200);
      const refused = await web({ "x-forwarded-for": "203.0.113.9", forwarded: "for=203.0.113.9" });
      assert.equal(refused.status, 429);
      await checkRefusal(refused, /from this address/);
      assert.equal((await api.call("GET", "/healthz")).status, 200);
    }));
});
