import assert from "node:assert/strict";
import test from "node:test";
import { runCommand } from "../testing/run-command.ts";
import { ACTIVATION, ACTIVATION_ID, sendJson, startSpecServer } from "../testing/spec-server.ts";

const PATH = "/v1/tenants/t_default/namespaces/default/schedules";

test("a schedule is created with the flags of the origin, name first or last", async () => {
  await using server = await startSpecServer();
  const flags = ["--every", "60", "--fn", "hello@prod", "--payload", '{"a":1}', "--api-url", server.url];
  for (const argv of [
    ["nightly", ...flags],
    [...flags, "nightly"],
  ]) {
    const run = await runCommand(["schedule", "create", ...argv]);
    assert.equal(run.code, 0, run.stderr);
    const seen = server.seen.pop();
    assert.deepEqual([seen?.method, seen?.path], ["POST", PATH]);
    assert.deepEqual(JSON.parse(seen?.body ?? ""), {
      name: "nightly",
      ref: { function: "hello", alias: "prod" },
      every_seconds: 60,
      payload: { a: 1 },
    });
  }
});

test("every option of a schedule reaches its field", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const cron = ["--cron", "30 2 * * *", "--timezone", "Europe/Paris", "--fn", "hello@7", "--paused"];
  const more = ["--overlap", "queue", "--jitter", "5", "--max-catchup", "0"];
  await runCommand(["schedule", "create", "nightly", ...cron, ...more, ...at]);
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), {
    name: "nightly",
    ref: { function: "hello", version: 7 },
    cron: "30 2 * * *",
    timezone: "Europe/Paris",
    overlap_policy: "queue",
    jitter_seconds: 5,
    max_catchup_ticks: 0,
    enabled: false,
  });
  await runCommand(["schedule", "update", "nightly", "--every", "2h", ...at]);
  assert.deepEqual([server.seen[1]?.method, server.seen[1]?.path], ["PATCH", `${PATH}/nightly`]);
  assert.deepEqual(JSON.parse(server.seen[1]?.body ?? ""), { every_seconds: 7200 });
});

test("next runs are a table in UTC and in the zone of the schedule, warnings go to standard error", async () => {
  await using server = await startSpecServer();
  const run = await runCommand(["schedule", "get", "nightly", "--api-url", server.url], { tty: true });
  assert.match(run.stdout, /when +30 2 \* \* \* Europe\/Paris/);
  assert.match(run.stdout, /NEXT RUNS \(UTC\) +Europe\/Paris\n2027-10-31 00:30:00 +2027-10-31 02:30:00\n/);
  assert.match(run.stdout, /2027-11-01 01:30:00 +2027-11-01 02:30:00/);
  assert.equal(run.stderr, "warning: it will not work yet\n");
  const json = await runCommand(["schedule", "get", "nightly", "--api-url", server.url]);
  assert.equal(JSON.parse(json.stdout).next_runs.length, 2);
});

test("schedules are listed, paused, resumed, run and deleted", async () => {
  await using server = await startSpecServer();
  const cs = (...argv: string[]) => runCommand(["schedule", ...argv, "--api-url", server.url], { tty: true });
  assert.match(
    (await cs("list")).stdout,
    /^NAME +WHEN +RUNS +OVERLAP +NEXT \(UTC\)\nnightly +30 2 \* \* \* Europe\/Paris +hello@prod +skip +2027-10-31 00:30:00/,
  );
  assert.equal((await cs("pause", "nightly")).stdout, "nightly is paused\n");
  assert.match((await cs("resume", "nightly")).stdout, /NEXT RUNS/);
  assert.match((await cs("run", "nightly")).stdout, new RegExp(`queued\n.*${ACTIVATION_ID}`));
  assert.equal((await cs("delete", "nightly")).stdout, "deleted nightly\n");
  assert.deepEqual(
    server.seen.slice(1).map(({ method, path, body }) => `${method} ${path.slice(PATH.length)} ${body}`),
    [
      'PATCH /nightly {"enabled":false}',
      'PATCH /nightly {"enabled":true}',
      "POST /nightly:run ",
      "DELETE /nightly ",
    ],
  );
});

test("a slip of the pen is told before anything is sent", async () => {
  await using server = await startSpecServer();
  const cs = (...argv: string[]) => runCommand(["schedule", ...argv, "--api-url", server.url]);
  const slips: [string[], RegExp][] = [
    [["create", "nightly", "--every", "60"], /--fn is missing/],
    [["create", "nightly", "--every", "5x", "--fn", "hello"], /--every 5x is not an interval/],
    [["create", "nightly", "--every", "1", "--fn", "hello", "--overlap", "often"], /skip, queue, parallel/],
    [["create", "nightly", "--every", "1", "--fn", "hello", "--payload", "{"], /not JSON/],
    [["update", "nightly"], /nothing to change/],
  ];
  for (const [argv, message] of slips) {
    const run = await cs(...argv);
    assert.equal(run.code, 1, argv.join(" "));
    assert.match(run.stderr, message);
  }
  assert.equal(server.seen.length, 0);
});

test("explain says which schedule and which of its ticks an activation was", async () => {
  await using server = await startSpecServer();
  const path = `/v1/tenants/t_default/activations/${ACTIVATION_ID}`;
  const explain = async (source: object): Promise<string> => {
    const record = { ...ACTIVATION, trigger: { type: "schedule", source } };
    server.answerOnce("GET", path, (response) => sendJson(response, 200, record));
    const argv = ["activation", "explain", ACTIVATION_ID, "--api-url", server.url];
    return (await runCommand(argv, { tty: true })).stdout;
  };
  const due_ms = ACTIVATION.enqueued_at_ms - 12;
  const tick = await explain({ schedule: "nightly", tick_seq: 17, due_ms });
  assert.match(tick, /schedule +nightly, tick 17, due 2026-05-28 \S+ UTC, queued 12 ms later\n/);
  assert.match(await explain({ schedule: "nightly", run_now_by: "ada" }), /nightly, run now by ada/);
});
