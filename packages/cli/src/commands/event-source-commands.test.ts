import assert from "node:assert/strict";
import test from "node:test";
import { runCommand } from "../testing/run-command.ts";
import { ACTIVATION, ACTIVATION_ID, sendJson, startSpecServer } from "../testing/spec-server.ts";

const PATH = "/v1/tenants/t_default/namespaces/default/event-sources";

test("an event source is created with what its type needs", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const queue = [
    "--type",
    "sqs",
    "--queue-url",
    "https://sqs.eu-west-1.amazonaws.com/1/q",
    "--credentials",
    "aws",
  ];
  const more = [
    "--batch-size",
    "50",
    "--batch-window",
    "5s",
    "--no-bisect",
    "--max-attempts",
    "0",
    "--max-age",
    "1h",
  ];
  const filters = ["--filter", '{"body":{"a":[1]}}', "--filter", '{"body":{"b":[2]}}'];
  const rest = [
    "--ordering-key",
    "body.id",
    "--parallelism",
    "8",
    "--on-failure",
    "https://a.example/",
    "--paused",
  ];
  const told = ["--webhook-secret", "hook", "--destination-format", "cloudevents-binary"];
  const run = await runCommand([
    "event-source",
    "create",
    "jobs",
    "--fn",
    "hello@prod",
    ...queue,
    ...more,
    ...filters,
    ...rest,
    ...told,
    ...at,
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual([server.seen[0]?.method, server.seen[0]?.path], ["POST", PATH]);
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), {
    name: "jobs",
    type: "sqs",
    ref: { function: "hello", alias: "prod" },
    sqs: { queue_url: "https://sqs.eu-west-1.amazonaws.com/1/q", credentials: "aws" },
    batch_size: 50,
    batch_window_ms: 5000,
    parallelism: 8,
    ordering_key: "body.id",
    bisect_on_error: false,
    retry: { max_attempts: 0 },
    max_record_age_ms: 3_600_000,
    on_failure: {
      webhook: { url: "https://a.example/", secret: "hook", format: "cloudevents-binary" },
    },
    filters: [{ body: { a: [1] } }, { body: { b: [2] } }],
    enabled: false,
  });
});

test("a webhook names scheme and secret together, a whole source may come from a file of JSON", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const hook = ["event-source", "create", "hub", "--type", "webhook", "--fn", "hello"];
  await runCommand([...hook, "--signature", "github", "--secret", "hub-key", ...at]);
  const sent = JSON.parse(server.seen[0]?.body ?? "") as { webhook: object };
  assert.deepEqual(sent.webhook, { signature: { scheme: "github", secret: "hub-key" } });
  const json = '{"type":"codeq","codeq":{"topic":"a"},"ref":{"function":"hello"},"batch_size":5}';
  await runCommand(["event-source", "create", "all", "--from", json, "--batch-size", "6", ...at]);
  const { topic, batch_size } = {
    ...JSON.parse(server.seen[1]?.body ?? ""),
    ...JSON.parse(server.seen[1]?.body ?? "").codeq,
  };
  assert.deepEqual([topic, batch_size], ["a", 6]);
});

test("an update changes what is given and nothing that somebody else changed meanwhile", async () => {
  await using server = await startSpecServer();
  await runCommand([
    "event-source",
    "update",
    "orders",
    "--topic",
    "other",
    "--start",
    "2026-11-28T00:00:00Z",
    "--api-url",
    server.url,
  ]);
  assert.deepEqual([server.seen[1]?.method, server.seen[1]?.path], ["PATCH", `${PATH}/orders`]);
  assert.deepEqual(JSON.parse(server.seen[1]?.body ?? ""), {
    codeq: { topic: "other" },
    start_position: { at_ms: Date.parse("2026-11-28T00:00:00Z") },
    generation: 1,
  });
});

test("every field of a source has an option", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const create = ["event-source", "create", "any", "--fn", "hello", "--type"];
  const queue = ["--queue-url", "https://sqs.eu-west-1.amazonaws.com/1/q", "--credentials", "aws"];
  const bodies: [string[], object][] = [
    [
      ["sqs", ...queue, "--visibility-timeout", "2m", "--backoff", "2s", "--backoff-max", "5m"],
      {
        sqs: {
          queue_url: "https://sqs.eu-west-1.amazonaws.com/1/q",
          credentials: "aws",
          visibility_timeout_seconds: 120,
        },
        retry: { backoff_ms: 2000, backoff_max_ms: 300_000 },
      },
    ],
    [
      ["s3", "--bucket", "uploads", "--credentials", "aws", "--list-every", "5m"],
      { s3: { bucket: "uploads", credentials: "aws", list_every_seconds: 300 } },
    ],
    [
      ["webhook", "--signature", "slack", "--secret", "key", "--tolerance", "1m", "--id-header", "x-id"],
      {
        webhook: { id_header: "x-id", signature: { scheme: "slack", secret: "key", tolerance_seconds: 60 } },
      },
    ],
  ];
  for (const [argv, expected] of bodies) {
    const run = await runCommand([...create, ...argv, ...at]);
    assert.equal(run.code, 0, run.stderr);
    const head = { name: "any", type: argv[0], ref: { function: "hello" } };
    assert.deepEqual(JSON.parse(server.seen.at(-1)?.body ?? ""), { ...head, ...expected });
  }
  const odd = await runCommand([...create, "sqs", ...queue, "--visibility-timeout", "1500ms", ...at]);
  assert.match(odd.stderr, /no number of seconds/);
  const lone = await runCommand([...create, "webhook", "--tolerance", "1m", ...at]);
  assert.match(lone.stderr, /--signature and --secret go together/);
});

test("an update takes an ordering key and a destination away", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const run = await runCommand([
    "event-source",
    "update",
    "orders",
    "--no-ordering-key",
    "--no-on-failure",
    ...at,
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(JSON.parse(server.seen[1]?.body ?? ""), {
    ordering_key: null,
    on_failure: null,
    generation: 1,
  });
  await runCommand(["event-source", "update", "orders", "--ordering-key", "body.id", ...at]);
  assert.deepEqual(JSON.parse(server.seen[3]?.body ?? ""), { ordering_key: "body.id", generation: 1 });
});

test("event sources are listed, shown, paused, resumed and deleted; status says what is wrong", async () => {
  await using server = await startSpecServer();
  const cs = (...argv: string[]) =>
    runCommand(["event-source", ...argv, "--api-url", server.url], { tty: true });
  assert.match(
    (await cs("list")).stdout,
    /^NAME +READS +RUNS +STATE\norders +codeq orders\.created +hello@prod +enabled/,
  );
  const got = await cs("get", "orders");
  assert.match(got.stdout, /reads +codeq orders\.created\nruns +hello@prod/);
  assert.equal(got.stderr, "warning: it will not work yet\n");
  assert.equal((await cs("pause", "orders")).stdout, "orders is paused\n");
  assert.match((await cs("resume", "orders")).stdout, /state +enabled/);
  const status = (await cs("status", "orders")).stdout;
  assert.match(status, /state +failing\nlag +12 messages\noldest +3\.0 s/);
  assert.match(status, /last error +2026-\S+ \S+ connection refused/);
  assert.equal((await cs("delete", "orders")).stdout, "deleted orders\n");
  const seen = server.seen.slice(2).map(({ method, path }) => `${method} ${path.slice(PATH.length)}`);
  assert.deepEqual(seen, [
    "POST /orders:pause",
    "POST /orders:resume",
    "GET /orders/status",
    "DELETE /orders",
  ]);
  const json = await runCommand(["event-source", "status", "orders", "--json", "--api-url", server.url]);
  assert.equal(JSON.parse(json.stdout).lag, 12);
});

test("a slip of the pen is told before anything is sent", async () => {
  await using server = await startSpecServer();
  const slips: [string[], RegExp][] = [
    [["create", "jobs", "--type", "sqs"], /--fn is missing/],
    [["create", "jobs", "--fn", "hello"], /--type is missing/],
    [["create", "jobs", "--fn", "hello", "--topic", "a"], /--type is missing/],
    [["create", "jobs", "--type", "kafka"], /codeq, webhook/],
    [["create", "jobs", "--type", "webhook", "--signature", "github"], /go together/],
    [["create", "jobs", "--type", "codeq", "--filter", "{"], /not JSON/],
    [["create", "jobs", "--type", "kinesis", "--start", "soon"], /--start soon is not/],
    [["update", "orders"], /nothing to change/],
  ];
  for (const [argv, message] of slips) {
    const run = await runCommand(["event-source", ...argv, "--api-url", server.url]);
    assert.equal(run.code, 1, argv.join(" "));
    assert.match(run.stderr, message);
  }
  assert.equal(server.seen.length, 0);
});

test("explain says which event source and message an activation came from", async () => {
  await using server = await startSpecServer();
  const path = `/v1/tenants/t_default/activations/${ACTIVATION_ID}`;
  const source = {
    event_source: "orders",
    event_source_type: "kinesis",
    partition: "shard-1",
    message_id: "49",
    messages: 3,
    attempt: 2,
  };
  server.answerOnce("GET", path, (response) =>
    sendJson(response, 200, { ...ACTIVATION, trigger: { type: "event", source } }),
  );
  const run = await runCommand(["activation", "explain", ACTIVATION_ID, "--api-url", server.url], {
    tty: true,
  });
  assert.match(run.stdout, /event source +orders \(kinesis, shard-1\), message 49 and 2 more, attempt 2\n/);
  for (const [messages, shown] of [
    [3, "49, 50, 51"],
    [4, "49, 50, 51, 60"],
    [9, "49, 50, 51, 5 more, 60"],
  ] as const) {
    const ids = { message_ids: ["49", "50", "51"], last_message_id: messages === 3 ? "51" : "60" };
    server.answerOnce("GET", path, (response) =>
      sendJson(response, 200, {
        ...ACTIVATION,
        trigger: { type: "event", source: { ...source, ...ids, messages } },
      }),
    );
    const { stdout } = await runCommand(["activation", "explain", ACTIVATION_ID, "--api-url", server.url], {
      tty: true,
    });
    assert.match(stdout, new RegExp(`^messages +${shown}$`, "m"));
  }
});
