import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ActivationRecord } from "@sous/contract";
import { type Api, type InvokeAnswer, manifest, until } from "../support/api.ts";
import type { Deployed, Deployment } from "../support/deployments.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

const NAMESPACE = "/v1/tenants/t_default/namespaces/default";
const ACTIVATIONS = "/v1/tenants/t_default/activations";
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["role:worker"],
  invoke_cadence_roles: ["admin"],
};
const CAPABILITIES = { kv: { prefixes: ["runs/", "told/"], ops: ["get", "set"] } };
/** Counts its runs by key, waits, fails until an attempt, reads a secret: whatever the event says. */
const WORK = `export default async ({ key, failUntil = 0, waitMs = 0, secret = false }, ctx) => {
  const runs = ((await cs.kv.get("runs/" + key)) ?? 0) + 1;
  await cs.kv.set("runs/" + key, runs);
  console.log("run", runs, "of", key);
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  if (ctx.attempt < failUntil) throw new Error("not yet " + ctx.attempt);
  if (secret) return { length: (await cs.secrets.get("plain_key")).length };
  return { runs };
};`;
const CONFIG = {
  authz: AUTHZ,
  retry: { max_attempts: 3, backoff_ms: 40, backoff_max_ms: 60 },
  secrets: ["plain_key"],
};

type Ended = Record<string, unknown> & { status: string };

const filesOf = (code: string, limits: Record<string, number> = {}): Record<string, string> => ({
  "manifest.json": manifest({
    capabilities: CAPABILITIES,
    limits: { timeoutMs: 20_000, maxConcurrency: 10, ...limits },
  }),
  "function.js": code,
});

/** What a user may expect of the platform, however it is run. */
export function describeDeployment(deployment: Deployment): void {
  if (deployment.missing !== undefined) {
    const { missing } = deployment;
    test(deployment.name, (context) => skipUnlessRequired(context, missing));
    return;
  }
  describe(deployment.name, () => {
    let deployed: Deployed;
    let api: Api;
    before(async () => {
      deployed = await deployment.start();
      ({ api } = deployed);
      await api.expect(200, "PUT", `${NAMESPACE}/secrets/plain_key`, { value: "hunter2hunter2" });
      await api.deploy({ name: "work", files: filesOf(WORK), config: CONFIG });
    });
    after(async () => await deployed[Symbol.asyncDispose]());

    const send = (
      name: string,
      event: unknown,
      mode: string,
      headers: Record<string, string> = {},
    ): Promise<Response> =>
      api.call("POST", `${api.scope()}/${name}:invoke`, { ref: { alias: "prod" }, mode, event }, headers);

    async function enqueue(name: string, event: unknown, headers?: Record<string, string>): Promise<string> {
      const response = await send(name, event, "async", headers);
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { activation_id: string }).activation_id;
    }

    async function ended(id: string): Promise<Ended> {
      let record: Ended = { status: "queued" };
      await until(
        async () => {
          record = await api.expect<Ended>(200, "GET", `${ACTIVATIONS}/${id}?wait=5`);
          return record.status !== "queued" && record.status !== "running";
        },
        "an end",
        30_000,
      );
      return record;
    }

    const logsOf = async (id: string): Promise<string[]> =>
      (await api.expect<{ chunks: string[] }>(200, "GET", `${ACTIVATIONS}/${id}/logs`)).chunks;
    const bodyOf = async (name: string, event: unknown): Promise<string | undefined> =>
      (await api.invoke(name, event)).result?.body;

    test("synchronous calls are answered, each run once, and their records and logs are kept", async () => {
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, at) => api.invoke("work", { key: `sync-${at}` })),
      );
      for (const { status, result } of answers) {
        assert.deepEqual([status, result?.body], ["success", '{"runs":1}']);
      }
      const id = answers[7]?.activation_id ?? "";
      assert.equal((await ended(id)).status, "success");
      await until(async () => (await logsOf(id)).length > 0, "its log");
      assert.deepEqual(await logsOf(id), ["[info] run 1 of sync-7"]);
    });

    test("a function answers over the web, at every gateway", async () => {
      const code = "export default ({ rawPath }) => ({ statusCode: 203, body: rawPath });";
      await api.deploy({ name: "web", files: filesOf(code) });
      for (const url of deployed.gatewayUrls) {
        const response = await fetch(`${url}/v1/web/t_default/default/web/prod/a/b`);
        assert.equal(response.status, 203);
        assert.match(await response.text(), /a\/b$/);
      }
    });

    test("the record of a call says how it came: over the web or the API, waited for or queued", async () => {
      const code = "export default (_, ctx) => ({ body: `${ctx.trigger.type} ${ctx.activation_id}` });";
      await api.deploy({ name: "called", files: filesOf(code) });
      const web = await fetch(`${deployed.gatewayUrls[0]}/v1/web/t_default/default/called/prod/a/b`);
      const ids = {
        web: web.headers.get("x-cs-activation-id") ?? "",
        api: (await api.invoke("called", null)).activation_id,
        queued: await enqueue("called", null),
      };
      assert.equal(await web.text(), `http ${ids.web}`);
      for (const [id, trigger, mode, path] of [
        [ids.web, "http", "sync", /called\/prod\/a\/b$/],
        [ids.api, "api", "sync", /called:invoke$/],
        [ids.queued, "api", "async", /called:invoke$/],
      ] as const) {
        const record = (await ended(id)) as Ended & Pick<ActivationRecord, "mode" | "trigger" | "result">;
        assert.deepEqual([record.status, record.trigger.type, record.mode], ["success", trigger, mode]);
        assert.match(String(record.trigger.source["path"]), path);
        assert.equal(record.result?.body, `${trigger} ${id}`);
      }
    });

    test("an alias that moved is followed everywhere within two seconds", async () => {
      await api.deploy({ name: "moved", files: filesOf("export default () => 1;") });
      for (const url of deployed.gatewayUrls) {
        assert.equal(await (await fetch(`${url}/v1/web/t_default/default/moved/prod/`)).text(), "1");
      }
      const { version } = await api.publish({ name: "moved", files: filesOf("export default () => 2;") });
      assert.equal(version, 2);
      for (const url of deployed.gatewayUrls) {
        await until(
          async () => (await (await fetch(`${url}/v1/web/t_default/default/moved/prod/`)).text()) === "2",
          "the new version",
          2000,
        );
      }
      await api.expect(200, "PUT", `${api.scope()}/moved/aliases/prod`, { version: 1 });
      await until(async () => (await bodyOf("moved", null)) === "1", "the old version", 2000);
      const { items } = await api.expect<{ items: { version: number }[] }>(
        200,
        "GET",
        `${api.scope()}/moved/versions`,
      );
      assert.deepEqual(
        items.map((item) => item.version),
        [2, 1],
      );
    });

    test("a function that was deleted is gone everywhere within two seconds", async () => {
      await api.deploy({ name: "deleted", files: filesOf("export default () => 1;") });
      await api.invoke("deleted", null);
      await api.expect(200, "DELETE", `${api.scope()}/deleted`);
      for (const url of deployed.gatewayUrls) {
        await until(
          async () => (await fetch(`${url}/v1/web/t_default/default/deleted/prod/`)).status === 404,
          "it to be gone",
          2000,
        );
      }
    });

    test("failed work is tried again, and its record keeps each attempt with its logs", async () => {
      const id = await enqueue("work", { key: "retried", failUntil: 3 });
      const record = await ended(id);
      assert.deepEqual([record.status, record["attempt"]], ["success", 3]);
      assert.deepEqual(
        (record["attempts"] as { error: { message: string } }[]).map(({ error }) => error.message),
        ["not yet 1", "not yet 2"],
      );
      assert.match((await logsOf(id)).join("\n"), /run 1 of retried[^]*run 3 of retried/);
    });

    test("work that failed for good is a dead letter with its reason, and is redriven", async () => {
      const id = await enqueue("work", { key: "dead", failUntil: 9 });
      assert.equal((await ended(id)).status, "error");
      const letters = async () =>
        (
          await api.expect<{ items: { id: string; reason: string }[] }>(
            200,
            "GET",
            `${NAMESPACE}/dlq?function=work`,
          )
        ).items;
      await until(async () => (await letters()).some((letter) => letter.id === id), "a dead letter");
      const letter = (await letters()).find((each) => each.id === id);
      assert.match(letter?.reason ?? "", /attempt 3: Exception: not yet 3/);
      await api.expect(202, "POST", `${NAMESPACE}/dlq:redrive`, { ids: [id] });
      await until(async () => (await bodyOf("runs", "dead")) === "6", "three more attempts");
    });

    test("one key runs once, synchronous or not, at whichever gateway it comes", async () => {
      const key = { "idempotency-key": "the-same-key" };
      const first = await send("work", { key: "once" }, "sync", key);
      const again = await send("work", { key: "once" }, "sync", key);
      for (const response of [first, again]) {
        const answer = (await response.json()) as InvokeAnswer;
        assert.equal(answer.result?.body, '{"runs":1}', JSON.stringify(answer));
      }
      assert.equal(again.headers.get("x-cs-idempotency-replay"), "1");
      const conflict = await send("work", { key: "other" }, "sync", key);
      assert.equal(conflict.status, 409);
      const other = { "idempotency-key": "another-key" };
      const ids = await Promise.all([1, 2, 3].map(() => enqueue("work", { key: "once-later" }, other)));
      assert.equal(new Set(ids).size, 1);
      assert.equal((await ended(ids[0] ?? "")).status, "success");
      assert.equal(await bodyOf("runs", "once-later"), "1");
    });

    test("calls with one key that come at the same moment, at whichever gateways, have one run and one answer", async () => {
      const key = { "idempotency-key": "at-once" };
      const event = { key: "at-once", waitMs: 500 };
      const responses = await Promise.all([1, 2, 3, 4].map(() => send("work", event, "sync", key)));
      const answers = await Promise.all(
        responses.map(async (response) => (await response.json()) as InvokeAnswer),
      );
      for (const answer of answers) assert.equal(answer.result?.body, '{"runs":1}', JSON.stringify(answer));
      assert.equal(new Set(answers.map(({ activation_id: id }) => id)).size, 1);
      const first = responses.filter(({ headers }) => headers.get("x-cs-idempotency-replay") === null);
      assert.equal(first.length, 1, "one of them is told that it was the first");
      const queued = { "idempotency-key": "queued-then-waited-for" };
      const later = { key: "queued-then-waited-for", waitMs: 300 };
      const id = await enqueue("work", later, queued);
      const waited = (await (await send("work", later, "sync", queued)).json()) as InvokeAnswer;
      assert.deepEqual([waited.activation_id, waited.result?.body], [id, '{"runs":1}']);
    });

    test("of two bodies with one key that are queued at the same moment, at whichever gateways, one is refused", async () => {
      for (let round = 0; round < 20; round++) {
        const key = { "idempotency-key": `two-bodies-${round}` };
        const both = await Promise.all(
          ["a", "b"].map((body) => send("work", { key: `two-bodies-${body}-${round}` }, "async", key)),
        );
        assert.deepEqual(both.map(({ status }) => status).toSorted(), [202, 409], `round ${round}`);
      }
    });

    test("queued work of a function begins in the order it came", async () => {
      // Each takes a while, so that a pause of the machine between a claim and its start is not taken for another order.
      const code = "export default (n) => new Promise((resolve) => setTimeout(() => resolve(n), 50));";
      await api.deploy({ name: "in-order", files: filesOf(code, { maxConcurrency: 1 }) });
      const ids: string[] = [];
      for (let n = 0; n < 12; n++) ids.push(await enqueue("in-order", n));
      const records = await Promise.all(ids.map(ended));
      for (const record of records) assert.equal(record.status, "success");
      // Two invokers may begin neighbours at the same moment; nothing overtakes by more.
      const starts = records.map((record) => Number(record["start_ms"]));
      for (const [at, startMs] of starts.entries()) {
        assert.ok(startMs >= Math.max(0, ...starts.slice(0, Math.max(0, at - 2))), starts.join(" "));
      }
    });

    test("what waits and what runs is cancelled, and a record says so", async () => {
      const code = "export default () => new Promise((resolve) => setTimeout(resolve, 10_000));";
      await api.deploy({ name: "narrow", files: filesOf(code, { maxConcurrency: 1 }) });
      const running = await enqueue("narrow", null);
      await until(async () => (await api.activation(running)).status === "running", "it to run");
      const delayed = await enqueue("narrow", null, { "x-delay-ms": "60000" });
      for (const id of [delayed, running]) {
        assert.equal((await api.call("POST", `${ACTIVATIONS}/${id}:cancel`)).status, 202);
        assert.equal((await ended(id)).status, "cancelled");
      }
    });

    test("what waits is read, listed page by page among what has ended, and listed no more when it is cancelled", async () => {
      await api.deploy({ name: "listed", files: filesOf("export default (n) => n;") });
      const list = async (query: string): Promise<ActivationRecord[]> => {
        const records: ActivationRecord[] = [];
        for (let cursor: string | null = ""; cursor !== null;) {
          const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
          const path = `${ACTIVATIONS}?namespace=default&function=listed&limit=3${query}${from}`;
          const page: { items: ActivationRecord[]; next_cursor: string | null } = await api.expect(
            200,
            "GET",
            path,
          );
          records.push(...page.items);
          cursor = page.next_cursor;
        }
        return records;
      };
      const ids: string[] = [];
      for (let n = 0; n < 12; n++) {
        const isDelayed = n % 3 !== 0;
        const id = await enqueue("listed", n, isDelayed ? { "x-delay-ms": "120000" } : {});
        if (!isDelayed) assert.equal((await ended(id)).status, "success");
        else assert.equal((await api.activation(id)).status, "queued");
        ids.push(id);
      }
      const statuses = (records: ActivationRecord[]) =>
        records.map((record) => `${ids.indexOf(record.activation_id)} ${record.status}`);
      const all = ids.map((_, n) => `${n} ${n % 3 === 0 ? "success" : "queued"}`).toReversed();
      assert.deepEqual(statuses(await list("")), all);
      assert.deepEqual(
        statuses(await list("&status=queued")),
        all.filter((text) => text.endsWith("queued")),
      );
      for (const [n, id] of ids.entries()) {
        if (n % 3 === 0) continue;
        assert.equal((await api.call("POST", `${ACTIVATIONS}/${id}:cancel`)).status, 202);
        assert.equal((await api.activation(id)).status, "cancelled");
      }
      assert.deepEqual(await list("&status=queued"), []);
      assert.equal((await list("&status=cancelled")).length, 8);
      assert.equal((await list("")).length, 12);
    });

    test("a secret is handed to the function it is bound to", async () => {
      assert.equal(await bodyOf("work", { key: "secret", secret: true }), '{"length":14}');
    });

    test("the end of work is told to its destination", async () => {
      const told = `export default async ({ requestPayload, responsePayload }) =>
        cs.kv.set("told/" + requestPayload.key, responsePayload);`;
      await api.deploy({ name: "told", files: filesOf(told) });
      const config = { ...CONFIG, on_success: { function: "told@prod" } };
      await api.deploy({ name: "tells", files: filesOf(WORK), config });
      await api.deploy({
        name: "read-told",
        files: filesOf(`export default async (key) => await cs.kv.get("told/" + key);`),
      });
      await ended(await enqueue("tells", { key: "of-an-end" }));
      await until(async () => /runs/.test((await bodyOf("read-told", "of-an-end")) ?? ""), "the word of it");
    });

    test("a schedule runs each second, no tick twice and none left out", async (context) => {
      const created = await api.call("POST", `${NAMESPACE}/schedules`, {
        name: "each-second",
        every_seconds: 1,
        overlap_policy: "parallel",
        ref: { function: "work", alias: "prod" },
        payload: { key: "ticks" },
      });
      if (created.status === 501 || created.status === 503) {
        context.skip("this store keeps no schedules yet");
        return;
      }
      assert.equal(created.status, 201, await created.clone().text());
      const ticks = async (): Promise<ActivationRecord[]> => {
        const path = `${ACTIVATIONS}?trigger=schedule&function=work&limit=500`;
        const { items } = await api.expect<{ items: ActivationRecord[] }>(200, "GET", path);
        return items.toSorted((a, b) => a.enqueued_at_ms - b.enqueued_at_ms);
      };
      const isOver = ({ status }: ActivationRecord): boolean => status === "success";
      await until(async () => (await ticks()).filter(isOver).length >= 3, "three ticks", 30_000);
      await api.expect(200, "DELETE", `${NAMESPACE}/schedules/each-second`);
      const numbers = (await ticks())
        .map(({ trigger }) => Number(trigger.source["tick_seq"]))
        .toSorted((a, b) => a - b);
      const [first = 0] = numbers;
      assert.deepEqual(
        numbers,
        numbers.map((_, at) => first + at),
      );
    });

    before(async () => {
      const runs = `export default async (key) => (await cs.kv.get("runs/" + key)) ?? 0;`;
      await api.deploy({ name: "runs", files: filesOf(runs) });
    });
  });
}
