import assert from "node:assert/strict";
import test from "node:test";
import type {
  AliasesReply,
  DraftReply,
  ErrorReply,
  FunctionReply,
  VersionFilesReply,
  VersionPage,
  VersionRecord,
} from "@sous/contract";
import { deploy, FUNCTIONS, sampleFiles, upload } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const HELLO = `${FUNCTIONS}/hello`;
const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];

test("a draft becomes a version with the manifest's limits and the defaults", async () => {
  await using control = await startControl();
  await control.call("POST", FUNCTIONS, { name: "hello" });
  const draft = await control.call<DraftReply>("PUT", `${HELLO}/draft`, sampleFiles());
  assert.equal(draft.status, 200);
  assert.match(draft.body.draft_id, /^drf_/);
  assert.match(draft.body.sha256, /^[0-9a-f]{64}$/);
  assert.equal(draft.body.expires_at_ms, control.state.nowMs + 86_400_000);

  const published = await control.call("POST", `${HELLO}/versions`, {
    draft_id: draft.body.draft_id,
    alias: "prod",
  });
  assert.equal(published.status, 201);
  assert.deepEqual(published.body, {
    version: 1,
    sha256: draft.body.sha256,
    published_at_ms: control.state.nowMs,
    powers: { against: null, added: [], removed: [] },
    warnings: [],
  });

  const version = await control.call<VersionRecord>("GET", `${HELLO}/versions/1`);
  assert.equal(version.body.published_by, "anonymous");
  assert.deepEqual(version.body.config, {
    timeout_ms: 3000,
    memory_mb: 64,
    max_concurrency: 10,
    env: {},
    capabilities: {
      kv: { prefixes: [], ops: [] },
      codeq: { publish_topics: [] },
      http: { allow_hosts: [], timeout_ms: 5000 },
    },
    authz: { invoke_http_roles: [], invoke_schedule_roles: [], invoke_cadence_roles: [] },
    secrets: [],
    retry: { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000, max_age_ms: 21_600_000 },
    isolation: "warm",
    durability: "relaxed",
    budgets: {
      cpu_ms: 30_000,
      external_memory_mb: 64,
      log_bytes: 1024 * 1024,
      result_bytes: 6 * 1024 * 1024,
      host_calls: 10_000,
      egress_bytes: 256 * 1024 * 1024,
      timers: 1000,
      open_fetches: 16,
    },
  });
  const read = await control.call<FunctionReply>("GET", HELLO);
  assert.equal(read.body.latest_version, 1);
  assert.deepEqual(read.body.aliases, [{ alias: "prod", version: 1, updated_at_ms: control.state.nowMs }]);
});

test("a draft is used once, and not after its day", async () => {
  await using control = await startControl();
  await deploy(control, "hello");
  const used = await upload(control, "hello");
  assert.equal((await control.call("POST", `${HELLO}/versions`, { draft_id: used })).status, 201);
  assert.deepEqual(outcome(await control.call("POST", `${HELLO}/versions`, { draft_id: used })), [
    409,
    "CS_CONFLICT",
  ]);
  const old = await upload(control, "hello");
  control.state.nowMs += 86_400_000;
  assert.deepEqual(outcome(await control.call("POST", `${HELLO}/versions`, { draft_id: old })), [
    409,
    "CS_CONFLICT",
  ]);
  const unknown = await control.call("POST", `${HELLO}/versions`, {
    draft_id: "drf_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  });
  assert.deepEqual(outcome(unknown), [404, "CS_NOT_FOUND"]);
});

test("of one draft published many times at once exactly one becomes a version", async () => {
  await using control = await startControl();
  await control.call("POST", FUNCTIONS, { name: "hello" });
  const draft_id = await upload(control, "hello");
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => control.call("POST", `${HELLO}/versions`, { draft_id })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array<number>(9).fill(409)]);
  assert.equal((await control.call<VersionPage>("GET", `${HELLO}/versions`)).body.items.length, 1);
});

test("bad drafts are refused: base64, paths, manifest, size, a missing function", async () => {
  await using control = await startControl();
  await control.call("POST", FUNCTIONS, { name: "hello" });
  const { files } = sampleFiles();
  const put = (body: unknown, name = "hello") => control.call("PUT", `${FUNCTIONS}/${name}/draft`, body);
  assert.deepEqual(outcome(await put({ files: { ...files, "a.txt": "not base64!" } })), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
  assert.deepEqual(outcome(await put({ files: { ...files, "a.txt": "YQ" } })), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual(outcome(await put({ files: { ...files, "../a.txt": "YQ==" } })), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
  assert.deepEqual(outcome(await put({ files: { "a.txt": "YQ==" } })), [
    400,
    "CS_VALIDATION_MANIFEST_INVALID",
  ]);
  assert.deepEqual(outcome(await put({ files: {} })), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual(outcome(await put({ files: { ...files, big: "A".repeat(24 * 1024 * 1024) } })), [
    400,
    "CS_VALIDATION_BUNDLE_TOO_LARGE",
  ]);
  assert.deepEqual(outcome(await put({ files }, "missing")), [404, "CS_NOT_FOUND"]);
  const bad = sampleFiles(undefined, { limits: { timeoutMs: 0, memoryMb: 64, maxConcurrency: 1 } });
  assert.deepEqual(outcome(await put(bad)), [400, "CS_VALIDATION_MANIFEST_INVALID"]);
});

test("a body over 32 MiB is cut off with 413", async () => {
  await using control = await startControl({ limits: { draftRequestBytesMax: 100_000 } });
  await control.call("POST", FUNCTIONS, { name: "hello" });
  const large = await control.call("PUT", `${HELLO}/draft`, { files: { a: "A".repeat(200_000) } });
  assert.deepEqual(outcome(large), [413, "CS_PAYLOAD_TOO_LARGE"]);
});

test("the files of a version come back as they were", async () => {
  await using control = await startControl();
  await deploy(control, "hello");
  const answer = await control.call<VersionFilesReply>("GET", `${HELLO}/versions/1/files`);
  assert.deepEqual(answer.body.files, sampleFiles().files);
});

test("versions are listed newest first; one that is missing is not found", async () => {
  await using control = await startControl();
  for (let index = 0; index < 3; index++) await deploy(control, "hello");
  const page = await control.call<VersionPage>("GET", `${HELLO}/versions?limit=2`);
  assert.deepEqual(
    page.body.items.map(({ version }) => version),
    [3, 2],
  );
  assert.notEqual(page.body.next_cursor, null);
  for (const path of ["versions/9", "versions/9999999999", "versions/9/files"]) {
    assert.deepEqual(outcome(await control.call("GET", `${HELLO}/${path}`)), [404, "CS_NOT_FOUND"]);
  }
  for (const path of ["versions/0", "versions/x", "versions/1.0"]) {
    assert.deepEqual(outcome(await control.call("GET", `${HELLO}/${path}`)), [400, "CS_VALIDATION_FAILED"]);
  }
});

test("a config that is wider than the manifest is refused and names the power", async () => {
  await using control = await startControl();
  await control.call("POST", FUNCTIONS, { name: "hello" });
  const draft_id = await upload(control, "hello", {
    capabilities: { kv: { prefixes: ["a:"], ops: ["get"] } },
  });
  const publish = (config: unknown) =>
    control.call<ErrorReply>("POST", `${HELLO}/versions`, { draft_id, config });
  const wide = await publish({ capabilities: { kv: { prefixes: ["b:"], ops: ["get"] } } });
  assert.deepEqual(outcome(wide), [400, "CS_VALIDATION_FAILED"]);
  assert.match(wide.body.error.message, /capabilities\.kv\.prefixes/);
  assert.match(
    (await publish({ capabilities: { http: { allow_hosts: ["example.com"] } } })).body.error.message,
    /http\.allow_hosts/,
  );
  const narrow = await publish({ capabilities: { kv: { prefixes: ["a:b"], ops: [] } }, timeout_ms: 900_000 });
  assert.equal(narrow.status, 201);
});

test("aliases are set, weighted, listed and deleted", async () => {
  await using control = await startControl();
  await deploy(control, "hello");
  await deploy(control, "hello");
  const set = await control.call("PUT", `${HELLO}/aliases/prod`, { version: 1, weights: { 2: 0.1 } });
  assert.equal(set.status, 200);
  const alias = { alias: "prod", version: 1, weights: { 2: 0.1 }, updated_at_ms: control.state.nowMs };
  assert.deepEqual(set.body, alias);
  assert.deepEqual((await control.call<AliasesReply>("GET", `${HELLO}/aliases`)).body, { aliases: [alias] });
  const put = (name: string, body: unknown) => control.call("PUT", `${HELLO}/aliases/${name}`, body);
  assert.deepEqual(outcome(await put("latest", { version: 1 })), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual(outcome(await put("Prod", { version: 1 })), [400, "CS_VALIDATION_NAME_INVALID"]);
  assert.deepEqual(outcome(await put("prod", { version: 9 })), [404, "CS_NOT_FOUND"]);
  assert.deepEqual(outcome(await put("prod", { version: 1, weights: { 9: 0.1 } })), [404, "CS_NOT_FOUND"]);
  assert.deepEqual(outcome(await put("prod", { version: 1, weights: { 1: 0.1 } })), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
  assert.deepEqual(outcome(await put("prod", { version: 1, weights: { 2: 1.5 } })), [
    400,
    "CS_VALIDATION_FAILED",
  ]);
  assert.deepEqual(outcome(await put("prod", { version: 0 })), [400, "CS_VALIDATION_FAILED"]);
  assert.deepEqual((await control.call("DELETE", `${HELLO}/aliases/prod`)).body, { status: "deleted" });
  assert.deepEqual(outcome(await control.call("DELETE", `${HELLO}/aliases/prod`)), [404, "CS_NOT_FOUND"]);
});

test("publishing may not write the alias latest", async () => {
  await using control = await startControl();
  assert.deepEqual(outcome(await deploy(control, "hello", {}, "latest")), [400, "CS_VALIDATION_FAILED"]);
});
