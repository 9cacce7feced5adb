import assert from "node:assert/strict";
import test from "node:test";
import { runCommand } from "../testing/run-command.ts";
import { ACTIVATION, ACTIVATION_ID, sendJson, startSpecServer } from "../testing/spec-server.ts";

const PATH = "/v1/tenants/t_default/namespaces/default/cadence/workers";

test("a worker is created with the flags of the origin, name first or last", async () => {
  await using server = await startSpecServer();
  const names = ["--domain", "shop", "--tasklist", "charge", "--worker-id", "w1"];
  const flags = [...names, "--activity", "main.Charge=charge@prod", "--api-url", server.url];
  for (const argv of [
    ["orders", ...flags],
    [...flags, "orders"],
  ]) {
    const run = await runCommand(["cadence", "worker", "create", ...argv]);
    assert.equal(run.code, 0, run.stderr);
    const seen = server.seen.pop();
    assert.deepEqual([seen?.method, seen?.path], ["POST", PATH]);
    assert.deepEqual(JSON.parse(seen?.body ?? ""), {
      name: "orders",
      domain: "shop",
      tasklist: "charge",
      worker_id: "w1",
      activity_map: { "main.Charge": { function: "charge", alias: "prod" } },
      pollers: { activity: 8 },
    });
  }
});

test("every option of a worker reaches its field, activities one by one", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const names = [
    "--domain",
    "shop",
    "--tasklist",
    "charge",
    "--activity",
    "A=b=one@7",
    "--activity",
    "C=two",
  ];
  const more = ["--pollers", "2", "--max-inflight", "5", "--result", "body", "--paused"];
  await runCommand(["cadence", "worker", "create", "orders", ...names, ...more, ...at]);
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), {
    name: "orders",
    domain: "shop",
    tasklist: "charge",
    worker_id: "orders",
    activity_map: { "A=b": { function: "one", version: 7 }, C: { function: "two" } },
    pollers: { activity: 2 },
    limits: { max_inflight_tasks: 5 },
    result: "body",
    enabled: false,
  });
  await runCommand(["cadence", "worker", "update", "orders", "--tasklist", "refund", ...at]);
  assert.deepEqual([server.seen[1]?.method, server.seen[1]?.path], ["PATCH", `${PATH}/orders`]);
  assert.deepEqual(JSON.parse(server.seen[1]?.body ?? ""), { tasklist: "refund" });
});

test("workers are shown, listed, paused, resumed and deleted; warnings go to standard error", async () => {
  await using server = await startSpecServer();
  const cs = (...argv: string[]) =>
    runCommand(["cadence", "worker", ...argv, "--api-url", server.url], { tty: true });
  const shown = await cs("get", "orders");
  assert.match(
    shown.stdout,
    /task list +charge\n[^]*ACTIVITY +RUNS\nmain\.Charge +charge@prod\nRefund +refund@latest/,
  );
  assert.equal(shown.stderr, "warning: it will not work yet\n");
  assert.match(
    (await cs("list")).stdout,
    /^NAME +DOMAIN +TASK LIST +STATE +ACTIVITIES\norders +shop +charge +enabled +main\.Charge=charge@prod/,
  );
  assert.equal((await cs("pause", "orders")).stdout, "orders is paused\n");
  assert.match((await cs("resume", "orders")).stdout, /state +enabled/);
  assert.equal((await cs("delete", "orders")).stdout, "deleted orders\n");
  assert.deepEqual(
    server.seen.slice(2).map(({ method, path, body }) => `${method} ${path.slice(PATH.length)} ${body}`),
    ['PATCH /orders {"enabled":false}', 'PATCH /orders {"enabled":true}', "DELETE /orders "],
  );
  const json = await runCommand(["cadence", "worker", "list", "--api-url", server.url]);
  assert.equal(JSON.parse(json.stdout).items[0].name, "orders");
});

test("a slip of the pen is told before anything is sent", async () => {
  await using server = await startSpecServer();
  const cs = (...argv: string[]) => runCommand(["cadence", "worker", ...argv, "--api-url", server.url]);
  const slips: [string[], RegExp][] = [
    [["create", "orders", "--domain", "shop"], /--tasklist or --activity is missing/],
    [["create", "orders", "--activity", "Charge"], /--activity Charge is not an activity/],
    [["create", "orders", "--activity", "Charge="], /is not an activity/],
    [["create", "orders", "--pollers", "0"], /whole number from 1 to 256/],
    [["create", "orders", "--result", "xml"], /envelope, body/],
    [["update", "orders"], /nothing to change/],
  ];
  for (const [argv, message] of slips) {
    const run = await cs(...argv);
    assert.equal(run.code, 1, argv.join(" "));
    assert.match(run.stderr, message);
  }
  assert.equal(server.seen.length, 0);
});

test("explain says which activity of which workflow an activation did", async () => {
  await using server = await startSpecServer();
  const source = {
    worker: "orders",
    domain: "shop",
    tasklist: "charge",
    workflowId: "order-17",
    runId: "r1",
    activityId: "5",
    activityType: "main.Charge",
    attempt: 1,
  };
  const path = `/v1/tenants/t_default/activations/${ACTIVATION_ID}`;
  const record = { ...ACTIVATION, trigger: { type: "cadence", source } };
  server.answerOnce("GET", path, (response) => sendJson(response, 200, record));
  const argv = ["activation", "explain", ACTIVATION_ID, "--api-url", server.url];
  const { stdout } = await runCommand(argv, { tty: true });
  assert.match(stdout, /activity +main\.Charge 5, attempt 2 of Cadence\n/);
  assert.match(stdout, /workflow +order-17, run r1\n/);
  assert.match(stdout, /task list +charge in domain shop, by worker orders\n/);
});
