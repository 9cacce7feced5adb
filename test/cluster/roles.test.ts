import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { ReadyReply } from "@sous/contract";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { type Cluster, type RoleName, startCluster } from "../support/cluster.ts";
import { descendantsOf } from "../support/process-tree.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const ECHO = { "manifest.json": manifest(), "function.js": "export default (event) => event;" };
const ROLES: RoleName[] = ["control", "gateway", "invoker", "scheduler", "cadence", "event-sources"];
const missing = missingRedis();

test("roles apart", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

/** @returns how many processes a process has started that still run */
const childrenOf = (pid: number): number =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).length;

if (missing === undefined) {
  describe("roles as processes of their own", () => {
    let redis: RedisServer;
    let cluster: Cluster;
    before(async () => {
      redis = await startRedis();
      cluster = await startCluster({
        store: redis.url,
        codeq: redis.url,
        counts: { gateway: 1, invoker: 1, scheduler: 1, cadence: 1, "event-sources": 1 },
        // Nobody answers there.
        settings: { cadence: "grpc://127.0.0.1:1", cadence_refresh_seconds: 1 },
      });
      await cluster.api.deploy({ name: "echo", files: ECHO });
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    });

    const processOf = (role: RoleName) => {
      const [server] = cluster.processes[role];
      assert.ok(server);
      return server;
    };
    const get = async (role: RoleName, path: string) => {
      const response = await fetch(processOf(role).url + path);
      return { status: response.status, text: await response.text() };
    };

    test("together they do what one process does", async () => {
      const answer = await cluster.api.invoke("echo", { hello: 1 });
      assert.deepEqual([answer.status, answer.result?.body], ["success", '{"hello":1}']);
    });

    test("each answers health, readiness by what it needs, and metrics on its port", async () => {
      for (const role of ROLES) {
        assert.equal((await get(role, "/healthz")).status, 200, role);
        const ready = await get(role, "/readyz");
        const names = role === "invoker" ? ["store", "codeq", "sandbox"] : ["store", "codeq"];
        assert.equal(ready.status, 200, ready.text);
        const { status, checks, details } = JSON.parse(ready.text) as ReadyReply;
        assert.equal(status, "ready");
        assert.deepEqual(checks, Object.fromEntries(names.map((name) => [name, "ok"])));
        if (role === "invoker") assert.match(details?.["sandbox"] ?? "", /^(open|closed|strict)$/);
        else assert.equal(details, undefined);
        const metrics = await get(role, "/metrics");
        assert.equal(metrics.status, 200);
        assert.equal(metrics.text.includes("cs_invoker_inflight"), role === "invoker", role);
        assert.equal(metrics.text.includes("cs_codeq_depth"), role === "control", role);
        const method = await fetch(`${processOf(role).url}/readyz`, { method: "POST" });
        assert.ok(method.status === 405, `${role} ${method.status}`);
      }
    });

    test("a Cadence server that is away is told by metrics; the poller is ready, as another would reach no more", async () => {
      await cluster.api.expect(201, "POST", "/v1/tenants/t_default/namespaces/default/cadence/workers", {
        name: "orders",
        domain: "shop",
        tasklist: "orders",
        worker_id: "orders",
        activity_map: { Work: { function: "echo", alias: "prod" } },
      });
      const failed = /cs_cadence_errors_total\{code="CS_CADENCE_POLL_FAILED"\} [1-9]/;
      await until(async () => failed.test((await get("cadence", "/metrics")).text), "a poll that failed");
      assert.equal((await get("cadence", "/readyz")).status, 200);
    });

    test("only the invoker has sandbox hosts", async () => {
      await until(() => descendantsOf(processOf("invoker").pid).length > 1, "a host");
      for (const role of ROLES.filter((each) => each !== "invoker")) {
        assert.equal(childrenOf(processOf(role).pid), 0, role);
      }
    });

    test("a process that is asked for another's work says who does it", async () => {
      const path = `${cluster.api.scope()}/echo`;
      for (const role of ROLES.filter((each) => each !== "control")) {
        const { status, text } = await get(role, path);
        assert.equal(status, 404);
        assert.match(text, new RegExp(`this process is ${role}; ask the control plane`));
      }
      const invoke = createApi(processOf("control").url).call("POST", `${path}:invoke`, { event: 1 });
      assert.match(
        await (await invoke).text(),
        /this process runs no functions; ask a gateway \(`--gateway-url`/,
      );
    });

    test("without its servers a role is not ready, by name", async () => {
      await redis.kill();
      for (const role of ROLES) {
        await until(async () => {
          const { status, text } = await get(role, "/readyz");
          const { store, codeq } = (JSON.parse(text) as { checks: Record<string, string> }).checks;
          return status === 503 && store === "CS_STORE_UNAVAILABLE" && codeq === "CS_CODEQ_PUBLISH_FAILED";
        }, `${role} is not ready`);
        assert.equal((await get(role, "/healthz")).status, 200);
      }
    });
  });
}

test("roles that share nothing refuse to start apart, and say which setting to change", async () => {
  using data = scratchFolder();
  const run = await runCs("http://127.0.0.1:1", [
    "serve",
    "--role",
    "gateway",
    "--port",
    "0",
    "--data",
    data.path,
  ]);
  assert.equal(run.code, 1, run.stderr);
  assert.match(run.stderr, /role gateway cannot start alone: setting store sqlite:.*set it to postgres/);
  const settings = { data: data.path, role: "invoker", store: "redis://127.0.0.1:1" };
  await assert.rejects(startServer({ settings }), /setting codeq memory: belongs to one process/);
});
