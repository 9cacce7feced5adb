import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const DLQ = "/v1/tenants/t_default/namespaces/default/dlq";
const ONCE = { retry: { max_attempts: 2, backoff_ms: 5, backoff_max_ms: 10 } };

interface Item {
  id: string;
  kind: string;
  activation_id: string;
  function: string;
  attempt: number;
  reason: string;
}
interface Page {
  items: Item[];
  next_cursor: string | null;
}
interface Redriven {
  redriven: number;
  items: { id: string; activation_id: string }[];
  failed: { id: string; code: string; message: string }[];
  more: boolean;
  next_cursor: string | null;
}

const files = (code: string): Record<string, string> => ({
  "manifest.json": manifest(),
  "function.js": code,
});
const PICKY = files(`export default (event) => {
  if (event.bad) throw new Error("bad event " + event.n);
  return { ok: event.n };
};`);
const BROKEN = files('export default () => { throw new Error("broken"); };');

const missing = missingRedis();
const engines = missing === undefined ? ["memory", "redis"] : ["memory"];

for (const engine of engines) {
  describe(`dead letters of a queue in ${engine}`, () => {
    const data = scratchFolder();
    let redis: RedisServer | undefined;
    let server: TestServer;
    let api: Api;
    let settings: Record<string, unknown>;

    before(async () => {
      redis = engine === "redis" ? await startRedis({ durable: true }) : undefined;
      settings = { data: data.path, ...(redis === undefined ? {} : { codeq: redis.url }) };
      server = await startServer({ settings });
      api = createApi(server.url);
      for (const name of ["picky", "other"]) await api.deploy({ name, files: PICKY, config: ONCE });
      await api.deploy({ name: "broken", files: BROKEN, config: ONCE });
      await api.deploy({ name: "picky", files: PICKY, config: ONCE, tenant: "t_second1" });
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });

    const list = (query = ""): Promise<Page> => api.expect<Page>(200, "GET", `${DLQ}${query}`);
    const redrive = (body: object): Promise<Redriven> =>
      api.expect<Redriven>(202, "POST", `${DLQ}:redrive`, body);
    const purge = (body: object) =>
      api.expect<{ purged: number; more: boolean }>(200, "POST", `${DLQ}:purge`, body);
    const wait = (id: string, tenant = "t_default") =>
      api.expect<Record<string, unknown> & { status: string; trigger: { source: Record<string, unknown> } }>(
        200,
        "GET",
        `/v1/tenants/${tenant}/activations/${id}?wait=20`,
      );

    /** Queues events that fail for good. @returns the ids of their activations */
    async function kill(name: string, count: number, tenant?: string): Promise<string[]> {
      const ids: string[] = [];
      for (let n = 0; n < count; n++) {
        const response = await api.enqueue(name, { bad: true, n }, tenant);
        ids.push(((await response.json()) as { activation_id: string }).activation_id);
        await wait(ids.at(-1) ?? "", tenant);
      }
      // In a queue apart a call is among the dead letters a moment after its record has ended.
      const path = DLQ.replace("t_default", tenant ?? "t_default");
      for (const id of ids)
        await until(async () => (await api.call("GET", `${path}/${id}`)).status === 200, "its dead letter");
      return ids;
    }

    test("a failed call is listed by function, page by page, and read with all that was tried", async () => {
      const [first = "", second = "", third = ""] = await kill("picky", 3);
      const [other = ""] = await kill("other", 1);
      const page = await list("?function=picky&limit=2");
      assert.deepEqual(
        page.items.map(({ id, kind, activation_id, function: name, attempt }) => [
          id,
          kind,
          activation_id,
          name,
          attempt,
        ]),
        [first, second].map((id) => [id, "invocation", id, "picky", 2]),
      );
      assert.match(page.items[0]?.reason ?? "", /^attempt 2: Exception: bad event 0$/);
      const rest = await list(`?function=picky&limit=2&cursor=${page.next_cursor}`);
      assert.deepEqual(
        rest.items.map(({ id }) => id),
        [third],
      );
      assert.equal(rest.next_cursor, null);
      assert.equal((await list()).items.length, 4);
      assert.deepEqual((await list("?kind=destination")).items, []);

      const shown = await api.expect<Record<string, unknown>>(200, "GET", `${DLQ}/${first}`);
      assert.deepEqual(shown["event"], { bad: true, n: 0 });
      assert.deepEqual(shown["ref"], { function: "picky", alias: "prod", version: 1 });
      assert.deepEqual(
        (shown["attempts"] as { error: { message: string } }[]).map(({ error }) => error.message),
        ["bad event 0"],
      );
      assert.equal((shown["error"] as { message: string }).message, "bad event 0");
      assert.equal((await purge({ ids: [other] })).purged, 1);
      assert.equal((await api.call("GET", `${DLQ}/${other}`)).status, 404);
    });

    test("the edited event is run as a new activation that links back, once", async () => {
      const [letter] = (await list("?function=picky&limit=1")).items;
      assert.ok(letter);
      const again = { ids: [letter.id], event: { n: 77 } };
      const both = await Promise.all([redrive(again), redrive(again)]);
      const ids = both.flatMap(({ items }) => items.map(({ activation_id }) => activation_id));
      assert.ok(ids.length >= 1, JSON.stringify(both));
      assert.equal(new Set(ids).size, 1, "two at a time are one");
      const record = await wait(ids[0] ?? "");
      assert.equal(record.status, "success");
      assert.equal((record["result"] as { body: string }).body, '{"ok":77}');
      assert.deepEqual(
        [record.trigger.source["redriven_from"], record.trigger.source["edited"]],
        [letter.id, true],
      );
      assert.equal((await api.activation(letter.id)).status, "error", "the old one stays as it ended");
      assert.equal((await api.call("GET", `${DLQ}/${letter.id}`)).status, 404);
      const gone = await redrive({ ids: [letter.id] });
      assert.deepEqual([gone.redriven, gone.failed[0]?.code], [0, "CS_NOT_FOUND"]);
    });

    test("all of a function go back, to the version its alias names now", async () => {
      const dead = await kill("broken", 4);
      await api.publish({ name: "broken", files: PICKY, config: ONCE });
      const again = await redrive({ function: "broken" });
      assert.deepEqual([again.redriven, again.failed, again.more], [4, [], false]);
      for (const { activation_id, id } of again.items) {
        assert.ok(dead.includes(id));
        const record = await wait(activation_id);
        // The events are still bad: it is the new version that says so.
        assert.equal(record["resolved_version"], 2);
        assert.match((record["error"] as { message: string }).message, /bad event/);
      }
      assert.equal((await list("?function=broken")).items.length, 4, "and they are dead letters again");
      const pinned = await redrive({ function: "broken", ref: { version: 1 } });
      for (const { activation_id } of pinned.items) {
        assert.equal((await wait(activation_id))["resolved_version"], 1);
      }
      assert.equal((await purge({ function: "broken" })).purged, 4);
      assert.deepEqual((await list("?function=broken")).items, []);
    });

    test("another tenant and another namespace see nothing of it, and cannot touch it", async () => {
      const [theirs = ""] = await kill("picky", 1, "t_second1");
      const before = (await list()).items.length;
      assert.ok(before > 0);
      assert.ok(!(await list()).items.some(({ id }) => id === theirs));
      assert.equal((await api.call("GET", `${DLQ}/${theirs}`)).status, 404);
      assert.equal((await redrive({ ids: [theirs] })).failed[0]?.code, "CS_NOT_FOUND");
      assert.equal((await purge({ ids: [theirs] })).purged, 0);
      const elsewhere = "/v1/tenants/t_default/namespaces/elsewhere/dlq";
      assert.deepEqual((await api.expect<Page>(200, "GET", elsewhere)).items, []);
      const [mine] = (await list()).items;
      assert.equal((await api.call("GET", `${elsewhere}/${mine?.id}`)).status, 404);
      const purged = await api.expect(200, "POST", `${elsewhere}:purge`, { ids: [mine?.id] });
      assert.deepEqual(purged, { purged: 0, more: false, next_cursor: null });
      const second = "/v1/tenants/t_second1/namespaces/default/dlq";
      assert.equal((await api.expect<Page>(200, "GET", second)).items.length, 1);
      assert.equal((await list()).items.length, before);
    });

    test("dead letters survive a kill, and everything goes with all", async () => {
      const before = (await list()).items.map(({ id }) => id);
      assert.ok(before.length > 0);
      await server.kill();
      server = await startServer({ settings });
      api = createApi(server.url);
      assert.deepEqual(
        (await list()).items.map(({ id }) => id),
        before,
      );
      assert.deepEqual(await purge({ all: true }), { purged: before.length, more: false, next_cursor: null });
      await server.kill();
      server = await startServer({ settings });
      api = createApi(server.url);
      assert.deepEqual((await list()).items, []);
    });

    test("what makes no sense is refused and changes nothing", async () => {
      const [id = ""] = await kill("picky", 1);
      const refuse = async (verb: string, body: object, status = 400): Promise<void> => {
        const response = await api.call("POST", `${DLQ}:${verb}`, body);
        assert.equal(response.status, status, `${verb} ${JSON.stringify(body)}`);
        await response.body?.cancel();
      };
      for (const verb of ["redrive", "purge"]) {
        await refuse(verb, {});
        await refuse(verb, { ids: [id], all: true });
        await refuse(verb, { ids: [] });
        await refuse(verb, { ids: ["../etc"] });
        await refuse(verb, { ids: Array.from({ length: 501 }, () => id) });
        await refuse(verb, { all: false });
        await refuse(verb, { all: true, more: 1 });
      }
      await refuse("redrive", { all: true, event: 1 });
      await refuse("redrive", { ids: [id], ref: { alias: "prod", version: 1 } });
      assert.equal((await redrive({ ids: [id], ref: { alias: "nowhere" } })).failed[0]?.code, "CS_NOT_FOUND");
      for (const query of ["?cursor=x", "?limit=0", "?limit=501", "?kind=x", "?function=../x"]) {
        const response = await api.call("GET", DLQ + query);
        assert.equal(response.status, 400, query);
        await response.body?.cancel();
      }
      assert.equal((await api.call("GET", `${DLQ}/nonsense`)).status, 400);
      assert.equal((await list()).items.length, 1);
    });

    test("a cursor goes on behind what cannot go back, and takes nothing that died meanwhile", async () => {
      await purge({ all: true });
      const gone = await kill("other", 3);
      const failing = await kill("broken", 2);
      await api.expect(200, "DELETE", `${api.scope()}/other`);
      const redriven: string[] = [];
      const failed: string[] = [];
      let cursor: string | null | undefined;
      for (let calls = 0; cursor !== null; calls++) {
        assert.ok(calls < 6, "it comes to an end");
        const reply: Redriven = await redrive({ all: true, limit: 2, ...(cursor && { cursor }) });
        redriven.push(...reply.items.map(({ id }) => id));
        failed.push(...reply.failed.map(({ id }) => id));
        for (const { activation_id } of reply.items) await wait(activation_id);
        assert.equal(reply.more, reply.next_cursor !== null);
        cursor = reply.next_cursor;
      }
      assert.deepEqual([failed, redriven], [gone, failing]);
      const again = (await list("?function=broken")).items;
      assert.equal(again.length, 2, "they failed again, and wait for another redrive");
      for (const bad of ["x", "1.", "1.x"]) {
        const answer = await api.call("POST", `${DLQ}:redrive`, { all: true, cursor: bad });
        assert.equal(answer.status, 400, bad);
      }
      assert.equal((await api.call("POST", `${DLQ}:redrive`, { ids: gone, cursor: "1.x" })).status, 400);
    });
  });
}
