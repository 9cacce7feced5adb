import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type MockCadence, startMockCadence } from "@sous/platform/cadence-testing";
import { type CadenceWorkflows, startCadenceWorkflows } from "@sous/platform/cadence-workflows";
import { type Api, createApi, manifest } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** `host:port` of a real server's gRPC port; the suite runs on it besides, where there is one. */
const real = process.env["CADENCE_E2E"];
const DOMAIN = "sous-e2e";
const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 20_000 } }),
  "function.js": `export default async (event) => {
    const [wish] = event.input.args;
    await cs.cadence.heartbeat({ begun: true });
    if (wish.sleep) await new Promise((resolve) => setTimeout(resolve, wish.sleep));
    if (wish.fail) throw new Error(wish.fail);
    return { body: "x".repeat(wish.length ?? 1) };
  };`,
};
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: [],
  invoke_cadence_roles: ["role:cadence"],
};

// The suite itself is tried on the mock, so that it is known to work where there is a server.
let mock: MockCadence;
describeServer("the suite for a real server, on the mock", async () => {
  mock = await startMockCadence();
  return mock.url.replace("grpc://", "");
});
after(() => mock[Symbol.asyncDispose]());
if (real !== undefined) describeServer(`activities of the Cadence server at ${real}`, async () => real);

function describeServer(name: string, locate: () => Promise<string>): void {
  describe(name, () => {
    let address: string;
    const data = scratchFolder();
    const tasklist = `sous-e2e-${process.pid}-${Date.now()}`;
    let workflows: CadenceWorkflows;
    let server: TestServer;
    let api: Api;

    const start = async (): Promise<void> => {
      server = await startServer({
        settings: { data: data.path, cadence: `grpc://${address}`, cadence_refresh_seconds: 1 },
      });
      api = createApi(server.url);
    };
    before(async () => {
      address = await locate();
      workflows = await startCadenceWorkflows(address, DOMAIN);
      await start();
      await api.deploy({ name: "work", files: FILES, config: { authz: AUTHZ } });
      await api.expect(201, "POST", "/v1/tenants/t_default/namespaces/default/cadence/workers", {
        name: "orders",
        domain: DOMAIN,
        tasklist,
        worker_id: "sous-e2e",
        activity_map: { Work: { function: "work", alias: "prod" } },
        pollers: { activity: 4 },
        result: "body",
      });
    });
    after(async () => {
      await workflows[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });
    const schedule = (wish: object, more: object = {}) =>
      workflows.schedule({
        tasklist,
        type: "Work",
        input: JSON.stringify(wish),
        startToCloseMs: 30_000,
        ...more,
      });

    test("a result completes the activity", async () => {
      assert.deepEqual(await (await schedule({})).ended, { type: "completed", result: "x" });
    });

    test("an error fails it with reason and details", async () => {
      const outcome = await (await schedule({ fail: "no money" })).ended;
      assert.equal(outcome.type === "failed" && outcome.reason, "error");
      assert.match(outcome.type === "failed" ? outcome.details : "", /no money/);
    });

    test("heartbeats keep it alive past its heartbeat timeout", async () => {
      const outcome = await (await schedule({ sleep: 6000 }, { heartbeatMs: 2000 })).ended;
      assert.equal(outcome.type, "completed", JSON.stringify(outcome));
    });

    test("a wish of the workflow ends it early", async () => {
      const { workflowId, ended } = await schedule({ sleep: 15_000 }, { heartbeatMs: 3000 });
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await workflows.requestCancel(workflowId);
      assert.equal((await ended).type, "cancelled");
    });

    test("the largest result there may be is taken", async () => {
      const outcome = await (await schedule({ length: 256 * 1024 })).ended;
      assert.equal(outcome.type === "completed" && outcome.result.length, 256 * 1024);
    });

    test("after a kill the activity that ran is completed", async () => {
      const { ended } = await schedule({ sleep: 4000 }, { heartbeatMs: 20_000 });
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await server.kill();
      await start();
      assert.deepEqual(await ended, { type: "completed", result: "x" });
    });
  });
}
