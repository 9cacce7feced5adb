import { randomUUID } from "node:crypto";
import { newActivationId } from "@sous/contract";
import { sampleEnd, sampleEvent } from "../../contract-suite/audit-suite.ts";
import { sampleSchedule } from "../../contract-suite/schedule-suite.ts";
import {
  finished,
  HELLO,
  NOW_MS,
  publishSample,
  sampleActivation,
  sampleBundle,
  sampleDraft,
  sampleEntry,
  sampleFunction,
} from "../../contract-suite/samples.ts";
import { EndedGroup } from "../../ended-group.ts";
import type { FunctionKey, KvScope, Store } from "../../store.ts";

const SCOPE: KvScope = { tenant: "t_default", namespace: "default" };
const OTHER: KvScope = { tenant: "t_other1", namespace: "jobs" };
const GONE: FunctionKey = { ...OTHER, name: "gone" };
const FAR_MS = NOW_MS + 10 * 365 * 24 * 3600 * 1000;
const KV_KEYS = ["plain", "ünï/👋", "null\u0000and\u0001escape", "~"];
const PAGE = { limit: 500 };

/** Whom to ask for what the sample holds: nothing lists activations of a store that has groups by their ids alone. */
export interface Sample {
  activations: { tenant: string; id: string }[];
  draft: { key: FunctionKey; id: string };
}

/** Fills a store with something of everything, in two tenants. @param calls ended calls, which lie in groups */
export async function fillStore(store: Store, calls = 30): Promise<Sample> {
  await store.functions.create(sampleFunction());
  await store.functions.create(sampleFunction(GONE));
  for (const alias of ["prod", undefined, "test"]) await publishSample(store, HELLO, alias);
  await store.aliases.set(HELLO, {
    alias: "canary",
    version: 2,
    weights: { "1": 90, "3": 10 } as never,
    updated_at_ms: NOW_MS + 7,
  });
  await publishSample(store, GONE, "prod");
  await store.functions.softDelete(GONE, NOW_MS + 9);
  const bytes = sampleBundle("a draft");
  const draft = sampleDraft(bytes, { expires_at_ms: FAR_MS });
  await store.drafts.put(HELLO, draft, bytes);

  await fillData(store);
  const activations = await fillRecords(store, calls);
  return { activations, draft: { key: HELLO, id: draft.draft_id } };
}

async function fillData(store: Store): Promise<void> {
  for (const scope of [SCOPE, OTHER]) {
    for (const [at, key] of KV_KEYS.entries()) {
      await store.kv.set(scope, key, JSON.stringify({ at, text: "¡hola!\n" }), at % 2 === 0 ? null : FAR_MS);
    }
    for (const n of [1, 2, 3]) {
      await store.secrets.put(scope, { name: "api_key", sealed: `sealed ${n}`, key_id: "k 1" }, NOW_MS + n);
    }
  }
  const token = {
    sub: "ada",
    tenant: "t_default",
    roles: ["admin"],
    created_at_ms: NOW_MS,
    expires_at_ms: null,
  };
  await store.tokens.create({ ...token, token_id: "tok1", revoked_at_ms: null }, "a".repeat(64));
  await store.tokens.create(
    { ...token, token_id: "tok2", user_id: "usr_1", revoked_at_ms: null },
    "b".repeat(64),
  );
  await store.tokens.revoke("t_default", "tok2", NOW_MS + 5);
  await store.resources.create("event-source", { ...SCOPE, name: "orders:a@b/c" }, '{ "n": 1.50 }', 10);
  await store.resources.replace("event-source", { ...SCOPE, name: "orders:a@b/c" }, 1, '{"n":2}');
  await store.resources.create("member", { ...OTHER, name: "one" }, "{}", 10);
  for (const [n, tenant] of [SCOPE.tenant, OTHER.tenant, SCOPE.tenant].entries()) {
    const event = sampleEvent({ tenant, ts_ms: NOW_MS + n });
    await store.audit.begin(event);
    if (n < 2) await store.audit.end(tenant, event.event_id, sampleEnd());
  }
  const start = { next_tick_ms: NOW_MS, due_at_ms: NOW_MS };
  await store.schedules.create(sampleSchedule("running"), start);
  await store.schedules.create(sampleSchedule("paused", { enabled: false }), {
    next_tick_ms: null,
    due_at_ms: null,
  });
  const stored = await store.schedules.get({ ...SCOPE, name: "running" });
  if (stored === undefined) throw new Error("the schedule is there");
  const next = {
    tick_seq: 41,
    next_tick_ms: NOW_MS + 60,
    due_at_ms: NOW_MS + 61,
    inflight: randomUUID(),
    catchup_end_seq: 44,
  };
  await store.schedules.advance(stored, next, undefined);
  for (const [at, id] of ["first", "second", "third"].entries()) {
    await store.journal.append(
      sampleEntry(id, at === 1 ? { dead: true, dead_reason: "too\u0000often" } : {}),
    );
  }
}

async function fillRecords(store: Store, calls: number): Promise<Sample["activations"]> {
  const found: Sample["activations"] = [];
  const queued = sampleActivation();
  const running = sampleActivation({ enqueued_at_ms: NOW_MS + 1 });
  const ended = sampleActivation({
    enqueued_at_ms: NOW_MS + 1,
    tenant: OTHER.tenant,
    namespace: OTHER.namespace,
  });
  for (const record of [queued, running, ended]) {
    await store.activations.create(record);
    found.push({ tenant: record.tenant, id: record.activation_id });
  }
  await store.activations.update({ ...running, status: "running", attempt: 2, start_ms: NOW_MS + 3 });
  await store.logs.append(ended.tenant, ended.activation_id, ["one", "two 👋"]);
  await store.logs.append(ended.tenant, ended.activation_id, ["three"]);
  await store.activations.finish(finished(ended, "error", { error: { type: "Exception", message: "no" } }));
  for (let at = 0; at < calls;) {
    const group = new EndedGroup();
    const atMs = Date.now();
    for (let n = 0; n < 10 && at < calls; n++, at++) {
      const name = `call${at % 3}`;
      const record = sampleActivation({
        activation_id: newActivationId(),
        mode: "sync",
        enqueued_at_ms: atMs,
        function: name,
        ref: { function: name, version: 1 },
      });
      if (
        !group.add(
          finished(record, at % 4 === 0 ? "error" : "success"),
          at % 2 === 0 ? [`line of ${at}`] : [],
        )
      )
        break;
      found.push({ tenant: record.tenant, id: record.activation_id });
    }
    await store.activations.append(group);
  }
  return found;
}

/** Everything the sample put into a store, as its readers see it. */
export async function readSample(store: Store, sample: Sample): Promise<object> {
  const functions = await Promise.all(
    [SCOPE, OTHER].map((scope) => store.functions.list({ ...scope, includeDeleted: true }, PAGE)),
  );
  const versions = await Promise.all([HELLO, GONE].map((key) => store.versions.list(key, PAGE)));
  const shas = versions.flatMap(({ items }) => items.map(({ sha256 }) => sha256));
  const scoped = async (scope: KvScope): Promise<object> => ({
    keys: await store.kv.list(scope, "", NOW_MS, PAGE),
    values: await Promise.all(KV_KEYS.map((key) => store.kv.get(scope, key, NOW_MS))),
    later: await Promise.all(KV_KEYS.map((key) => store.kv.get(scope, key, FAR_MS))),
    secret: await store.secrets.get(scope, "api_key"),
    secrets: await store.secrets.list(scope, PAGE),
    resources: (await store.resources.list("event-source", scope, PAGE)).items,
  });
  return {
    functions: functions.map(({ items }) => items),
    versions: versions.map(({ items }) => items),
    latest: await store.versions.latest(HELLO),
    bundles: await Promise.all(shas.map((sha256) => store.versions.bundle(sha256))),
    aliases: await Promise.all([HELLO, GONE].map((key) => store.aliases.list(key))),
    draft: await store.drafts.get(sample.draft.key, sample.draft.id),
    data: await Promise.all([SCOPE, OTHER].map(scoped)),
    members: (await store.resources.all("member", PAGE)).items,
    audit: await Promise.all([SCOPE, OTHER].map(({ tenant }) => store.audit.list({ tenant }, PAGE))),
    tokens: await Promise.all(["tok1", "tok2"].map((id) => store.tokens.get(id))),
    ofTenant: (await store.tokens.list("t_default", PAGE)).items,
    schedules: (await store.schedules.list(SCOPE, PAGE)).items,
    due: (await store.schedules.due(FAR_MS, PAGE)).items,
    records: await Promise.all(sample.activations.map(({ tenant, id }) => store.activations.get(tenant, id))),
    logs: await Promise.all(sample.activations.map(({ tenant, id }) => store.logs.read(tenant, id, 0, 100))),
    listed: (await store.activations.list({ tenant: SCOPE.tenant }, PAGE)).items.map(
      (one) => one.activation_id,
    ),
    failed: (await store.activations.list({ tenant: SCOPE.tenant, status: "error" }, PAGE)).items,
    ofFunction: (await store.activations.list({ ...SCOPE, function: "call1" }, PAGE)).items,
    unfinished: await store.activations.unfinished(10),
    journal: await store.journal.load(),
  };
}
