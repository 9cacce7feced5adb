import assert from "node:assert/strict";
import { type AuditEnd, type AuditEvent, LIMITS, newAuditEventId } from "@sous/contract";
import type { AuditFilter, Store } from "../store.ts";
import type { StoreTest } from "./open-store.ts";
import { everyPage, NOW_MS, withCode } from "./samples.ts";

const TENANT = "t_default";

export const sampleEvent = (change: Partial<AuditEvent> = {}): AuditEvent => ({
  schema: "cs.audit.v1",
  event_id: newAuditEventId(),
  ts_ms: NOW_MS,
  tenant: TENANT,
  actor: { sub: "ada", roles: ["admin"] },
  action: "cs:function:create",
  type: null,
  resource: "cs:t_default:default:function/*",
  request_id: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  outcome: "unknown",
  status: null,
  code: null,
  ended_at_ms: null,
  data: {},
  ...change,
});

export const sampleEnd = (change: Partial<AuditEnd> = {}): AuditEnd => ({
  type: "FunctionCreated",
  resource: "cs:t_default:default:function/hello",
  outcome: "success",
  status: 201,
  code: null,
  ended_at_ms: NOW_MS + 3,
  data: { function: "hello", text: 'ünïcode "quoted"\n' },
  ...change,
});

const listed = async (store: Store, filter: Omit<AuditFilter, "tenant"> = {}): Promise<string[]> =>
  (await store.audit.list({ tenant: TENANT, ...filter }, { limit: 50 })).items.map(
    ({ event_id }) => event_id,
  );

/** Audit events: kept before the change, with one end after it. */
export function auditSuite(storeTest: StoreTest): void {
  storeTest("an event is there before its change, and gets one end", async (store) => {
    const event = sampleEvent();
    await store.audit.begin(event);
    assert.deepStrictEqual((await store.audit.list({ tenant: TENANT }, { limit: 5 })).items, [event]);
    await assert.rejects(store.audit.begin({ ...event, action: "other" }), withCode("CS_CONFLICT"));
    assert.equal(await store.audit.end(TENANT, event.event_id, sampleEnd()), true);
    assert.equal(await store.audit.end(TENANT, event.event_id, sampleEnd({ outcome: "failed" })), false);
    assert.equal(await store.audit.end("t_other1", event.event_id, sampleEnd()), false);
    assert.equal(await store.audit.end(TENANT, newAuditEventId(), sampleEnd()), false);
    const { items, next_cursor } = await store.audit.list({ tenant: TENANT }, { limit: 5 });
    assert.deepStrictEqual([items, next_cursor], [[{ ...event, ...sampleEnd() }], null]);
  });

  storeTest("events are listed by tenant, newest first, in pages", async (store) => {
    const events = Array.from({ length: 5 }, (_, n) => sampleEvent({ ts_ms: NOW_MS + (n >> 1) }));
    for (const event of [events[3], events[0], events[4], events[1], events[2]]) {
      if (event !== undefined) await store.audit.begin(event);
    }
    await store.audit.begin(sampleEvent({ tenant: "t_other1" }));
    const pages = await everyPage(2, (page) => store.audit.list({ tenant: TENANT }, page));
    assert.deepStrictEqual(
      pages.map((page) => page.map(({ event_id }) => event_id)),
      [
        [events[4]?.event_id, events[3]?.event_id],
        [events[2]?.event_id, events[1]?.event_id],
        [events[0]?.event_id],
      ],
    );
    await assert.rejects(
      store.audit.list({ tenant: TENANT }, { limit: 0 }),
      withCode("CS_VALIDATION_FAILED"),
    );
    const bad = { limit: 1, cursor: "nonsense" };
    await assert.rejects(store.audit.list({ tenant: TENANT }, bad), withCode("CS_VALIDATION_FAILED"));
  });

  storeTest("filters by who, what, which, outcome and time may be put together", async (store) => {
    const made = sampleEvent();
    const open = sampleEvent({ ts_ms: NOW_MS + 10, actor: { sub: "bob", roles: [] } });
    const refused = sampleEvent({ ts_ms: NOW_MS + 20, action: "cs:secret:create" });
    await Promise.all([made, open, refused].map((event) => store.audit.begin(event)));
    await store.audit.end(TENANT, made.event_id, sampleEnd());
    const end = {
      type: null,
      resource: "cs:t_default:default:secret/key",
      outcome: "refused" as const,
      status: 409,
    };
    await store.audit.end(TENANT, refused.event_id, sampleEnd({ ...end, code: "CS_CONFLICT" }));
    assert.deepStrictEqual(await listed(store), [refused.event_id, open.event_id, made.event_id]);
    assert.deepStrictEqual(await listed(store, { sub: "ada" }), [refused.event_id, made.event_id]);
    assert.deepStrictEqual(await listed(store, { action: "cs:secret:create" }), [refused.event_id]);
    assert.deepStrictEqual(await listed(store, { type: "FunctionCreated" }), [made.event_id]);
    assert.deepStrictEqual(await listed(store, { resource: "cs:t_default:default:function/" }), [
      open.event_id,
      made.event_id,
    ]);
    assert.deepStrictEqual(await listed(store, { outcome: "unknown" }), [open.event_id]);
    assert.deepStrictEqual(await listed(store, { sinceMs: NOW_MS + 10, untilMs: NOW_MS + 10 }), [
      open.event_id,
    ]);
    assert.deepStrictEqual(await listed(store, { sinceMs: NOW_MS + 21 }), []);
    assert.deepStrictEqual(await listed(store, { outcome: "refused", sub: "bob" }), []);
  });

  storeTest("a rare event is found in a long history, page by page", async (store) => {
    const rare = sampleEvent({ action: "cs:token:create", ts_ms: NOW_MS - 1 });
    await store.audit.begin(rare);
    await Promise.all(
      Array.from({ length: 600 }, (_, n) => store.audit.begin(sampleEvent({ ts_ms: NOW_MS + n }))),
    );
    const filter = { tenant: TENANT, action: "cs:token:create" };
    const pages = await everyPage(1, (page) => store.audit.list(filter, page));
    assert.deepStrictEqual(pages.flat(), [rare]);
  });

  storeTest(
    "sweep removes the events that have outlived their time, of all tenants, with their ends",
    async (store) => {
      const old = { ts_ms: NOW_MS - LIMITS.auditTtlMs - 1 };
      const events = [sampleEvent(old), sampleEvent({ ...old, tenant: "t_other1" }), sampleEvent()];
      await Promise.all(events.map((event) => store.audit.begin(event)));
      await store.audit.end(TENANT, events[0]?.event_id ?? "", sampleEnd());
      assert.equal(await store.sweep(NOW_MS), 2);
      assert.deepStrictEqual(await listed(store), [events[2]?.event_id]);
      assert.deepStrictEqual((await store.audit.list({ tenant: "t_other1" }, { limit: 5 })).items, []);
      assert.equal(await store.sweep(NOW_MS), 0);
      const [first] = events;
      if (first !== undefined) await store.audit.begin(first);
      assert.equal((await listed(store)).length, 2, "nothing of it was left over");
      assert.equal(
        (await store.audit.list({ tenant: TENANT, outcome: "success" }, { limit: 5 })).items.length,
        0,
      );
    },
  );
}
