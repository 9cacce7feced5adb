import assert from "node:assert/strict";
import type { ActivationRecord, TerminalStatus } from "@sous/contract";
import { type End, EndedGroup } from "../ended-group.ts";
import type { ActivationFilter, TerminalRecord } from "../store.ts";
import type { StoreTest } from "./open-store.ts";
import { DAY_MS, everyPage, finished, NOW_MS, sampleActivation } from "./samples.ts";

/** Ends that are appended in groups: read, listed and swept like every other record. */
export function appendSuite(storeTest: StoreTest): void {
  storeTest("appended ends are read back as they were, with their logs", async (store) => {
    const ends: End[] = [
      { record: end(0), lines: [] },
      { record: end(1, full), lines: ["first", "second ¡hola! 👋"] },
      {
        record: end(2, { error: { type: "Exception", message: "no\n\u{1F642}" } }, "error"),
        lines: ["third"],
      },
      { record: end(3, { start_ms: null, result_truncated: true, cold: true }, "timeout"), lines: [] },
    ];
    await store.activations.append(groupOf(ends));
    for (const { record, lines } of ends) {
      const { tenant, activation_id: id } = record;
      assert.deepEqual(await store.activations.get(tenant, id), record);
      assert.deepEqual(await store.logs.read(tenant, id, 0, 10), lines);
      assert.equal(await store.activations.get("t_other1", id), undefined);
      assert.deepEqual(await store.logs.read("t_other1", id, 0, 10), []);
    }
    const { tenant, activation_id: id } = ends[1]?.record ?? end(9);
    assert.deepEqual(await store.logs.read(tenant, id, 1, 10), ["second ¡hola! 👋"]);
    assert.deepEqual(await store.logs.read(tenant, id, 0, 1), ["first"]);
    await store.activations.append(new EndedGroup());
  });

  storeTest("an end of another version, caller or path keeps its own", async (store) => {
    const ends = Array.from({ length: 20 }, (_, n) => ({
      record: end(n, {
        function: `fn${n % 3}`,
        ref: { function: `fn${n % 3}`, alias: "prod", version: n },
        resolved_version: n,
        trigger: { type: "http", source: { path: `/p/${n}` } },
        principal: { sub: `user${n % 2}`, roles: [] },
        sandbox_id: `sb${n % 4}`,
      }),
      lines: [],
    }));
    await store.activations.append(groupOf(ends));
    for (const { record } of ends) {
      assert.deepEqual(await store.activations.get(record.tenant, record.activation_id), record);
    }
  });

  storeTest("lists show appended ends among the other records, newest first, page by page", async (store) => {
    const expected: TerminalRecord[] = [];
    for (let turn = 0; turn < 6; turn++) {
      const ends: End[] = [];
      for (let n = 0; n < 7; n++) {
        // Groups overlap in time, and some ends have the moment of a row or of another group.
        const record = end(turn * 50 + n * 20);
        expected.push(record);
        ends.push({ record, lines: [] });
      }
      await store.activations.append(groupOf(ends));
      const row = end(turn * 50 + 20);
      expected.push(row);
      await store.activations.finish(row);
    }
    expected.sort((a, b) => b.enqueued_at_ms - a.enqueued_at_ms);
    for (const limit of [1, 5, 500]) {
      const pages = await everyPage(limit, (page) => store.activations.list({ tenant: "t_default" }, page));
      const items = pages.flat();
      const moments = items.map((item) => item.enqueued_at_ms);
      assert.deepEqual(
        moments,
        expected.map((record) => record.enqueued_at_ms),
      );
      assert.equal(new Set(items.map((item) => item.activation_id)).size, expected.length);
    }
  });

  storeTest("every filter narrows appended ends too", async (store) => {
    const ends: End[] = [];
    for (let n = 0; n < 40; n++) {
      const name = n % 2 === 0 ? "alpha" : "beta";
      const change: Partial<ActivationRecord> = {
        tenant: n % 10 === 9 ? "t_other1" : "t_default",
        namespace: n < 20 ? "default" : "other",
        function: name,
        ref: { function: name, version: 1 },
        trigger: { type: n % 4 === 0 ? "http" : "api", source: {} },
      };
      ends.push({ record: end(n, change, n % 8 === 0 ? "error" : "success"), lines: [] });
    }
    await store.activations.append(groupOf(ends.slice(0, 15)));
    await store.activations.append(groupOf(ends.slice(15)));
    const tenant = "t_default";
    const filters = [
      { tenant },
      { tenant, namespace: "other" },
      { tenant, function: "alpha" },
      { tenant, namespace: "default", function: "beta" },
      { tenant, status: "error" },
      { tenant, status: "timeout" },
      { tenant, status: "queued" },
      { tenant, namespace: "default", function: "alpha", status: "error" },
      { tenant, trigger: "http" },
      { tenant, sinceMs: NOW_MS + 30 },
      { tenant: "t_other1" },
      { tenant: "t_none01" },
    ] as const;
    for (const filter of filters) {
      const { namespace, function: name, status, trigger, sinceMs = 0 }: ActivationFilter = filter;
      const passes = ({ record }: End): boolean =>
        record.tenant === filter.tenant &&
        (namespace ?? record.namespace) === record.namespace &&
        (name ?? record.function) === record.function &&
        (status ?? record.status) === record.status &&
        (trigger ?? record.trigger.type) === record.trigger.type &&
        record.enqueued_at_ms >= sinceMs;
      const wanted = ends.filter(passes).map(({ record }) => record.activation_id);
      const pages = await everyPage(4, (page) => store.activations.list(filter, page));
      assert.deepEqual(
        pages.flat().map((item) => item.activation_id),
        wanted.toReversed(),
        JSON.stringify(filter),
      );
    }
  });

  storeTest("appended ends are swept when they have outlived their time", async (store) => {
    const old = { record: end(0), lines: ["line"] };
    const young = { record: end(900), lines: ["line"] };
    await store.activations.append(groupOf([old]));
    await store.activations.append(groupOf([young]));
    assert.equal(await store.sweep(NOW_MS + 7 * DAY_MS + 500), 1);
    const tenant = "t_default";
    assert.equal(await store.activations.get(tenant, old.record.activation_id), undefined);
    assert.deepEqual(await store.logs.read(tenant, old.record.activation_id, 0, 10), []);
    assert.deepEqual(await store.activations.get(tenant, young.record.activation_id), young.record);
    const { items } = await store.activations.list({ tenant }, { limit: 10 });
    assert.deepEqual(items, [young.record]);
  });
}

function groupOf(ends: readonly End[]): EndedGroup {
  const group = new EndedGroup();
  for (const { record, lines } of ends) assert.ok(group.add(record, lines), "the group takes the end");
  return group;
}

let count = 0;

/** The id of an activation made at a moment. */
function idAt(ms: number): string {
  const hex = ms.toString(16).padStart(12, "0");
  const tail = (++count).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${tail}`;
}

/** The end of a synchronous call queued `afterMs` after now. */
function end(afterMs: number, change: Partial<ActivationRecord> = {}, status: TerminalStatus = "success") {
  const enqueued_at_ms = NOW_MS + afterMs;
  const record = sampleActivation({
    activation_id: idAt(enqueued_at_ms),
    mode: "sync",
    enqueued_at_ms,
    start_ms: enqueued_at_ms + 1,
    ...change,
  });
  return finished(record, status);
}

/** Every field at a value of its own. */
const full: Partial<ActivationRecord> = {
  request_id: 'req "quoted"\\',
  deadline_ms: NOW_MS + 3000,
  result: {
    statusCode: 418,
    headers: { "x-a": "b" },
    cookies: ["a=1", "b=2"],
    body: '{"a":"ü"}',
    isBase64Encoded: false,
  },
  cold: true,
  cold_reason: "first_use",
  tier: "isolate",
  sandbox_id: "sb_1",
  invoker: "m-0123456789ab",
  timings: {
    queue_ms: 1,
    placement_ms: 0.001,
    boot_ms: 2.345,
    fetch_ms: 3,
    init_ms: 0.123,
    handler_ms: 1234.567,
    host_calls_ms: 0.5,
  },
  cpu_ms: 9.876,
  memory_peak_bytes: 12_345_678,
  log_bytes: 21,
  logs_truncated: true,
  host_calls: 3,
  egress_bytes: 99,
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  fingerprint: "abc",
};
