import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Api, manifest, until } from "../support/api.ts";
import { type Deployed, type Deployment, embedded, rolesOnAll } from "../support/deployments.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const NAMESPACE = "/v1/tenants/t_default/namespaces/default";
const RETRY = { max_attempts: 2, backoff_ms: 5, backoff_max_ms: 10 };
const WORK = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["seen/"], ops: ["get", "set"] } } }),
  "function.js": `export default async (event, ctx) => {
    if (event?.requestContext) await cs.kv.set("seen/" + event.requestContext.activation_id, { event, ctx });
    if (event?.fail) throw new Error("it failed");
    return { got: event?.n ?? null };
  };`,
};

interface Seen {
  event: { requestPayload: unknown; responsePayload: unknown; requestContext: Record<string, unknown> };
  ctx: { activation_id: string; trigger: { type: string }; principal: { sub: string; roles: string[] } };
}

for (const deployment of [embedded, rolesOnAll]) {
  const { name, missing } = deployment;
  if (missing === undefined) describe(`destinations: ${name}`, () => describeDestinations(deployment));
  else test(`destinations: ${name}`, (context) => skipUnlessRequired(context, missing));
}

function describeDestinations(deployment: Deployment): void {
  let receiver: WebhookReceiver;
  let deployed: Deployed;
  let api: Api;

  before(async () => {
    receiver = await startWebhookReceiver(SECRET);
    deployed = await deployment.start({
      counts: { gateway: 1, invoker: 1, scheduler: 0, "event-sources": 1 },
      settings: {
        "egress.private_allow": ["127.0.0.1/32"],
        "limits.destination_attempts_max": 4,
        "budgets.depth_max": 6,
        event_source_refresh_seconds: 1,
      },
    });
    ({ api } = deployed);
    await api.expect(200, "PUT", `${NAMESPACE}/secrets/hook`, { value: SECRET });
    await api.deploy({ name: "next", files: WORK });
    await api.deploy({
      name: "read",
      files: { ...WORK, "function.js": "export default (id) => cs.kv.get('seen/' + id);" },
    });
  });
  after(async () => {
    await deployed[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  const deploy = (name: string, config: Record<string, unknown>) =>
    api.deploy({ name, files: WORK, config: { retry: RETRY, ...config } });
  const hook = (path: string, secret: string | undefined = "hook") => ({
    webhook: { url: receiver.url + path, ...(secret === "" ? {} : { secret }) },
  });

  async function enqueue(name: string, event: unknown): Promise<string> {
    const response = await api.enqueue(name, event);
    assert.equal(response.status, 202, await response.clone().text());
    return ((await response.json()) as { activation_id: string }).activation_id;
  }

  const wait = (id: string) =>
    api.expect<Record<string, unknown> & { status: string }>(
      200,
      "GET",
      `/v1/tenants/t_default/activations/${id}?wait=20`,
    );

  const came = (id: string) => receiver.received.filter((each) => each.id === `dst_${id}`);
  const dead = async (name: string) =>
    (
      await api.expect<{ items: { id: string; reason: string; attempt: number }[] }>(
        200,
        "GET",
        `${NAMESPACE}/dlq?kind=destination&function=${name}`,
      )
    ).items;

  async function seen(id: string): Promise<Seen> {
    let found: Seen | null = null;
    await until(async () => {
      const { result } = await api.invoke("read", id);
      found = result === null || result.body === "" ? null : (JSON.parse(result.body) as Seen | null);
      return found !== null;
    }, "the destination's function to run");
    return found as unknown as Seen;
  }

  test("a webhook hears of a success and of a failure, signed", async () => {
    await deploy("hooked", { on_success: hook("/good"), on_failure: hook("/bad") });
    const good = await enqueue("hooked", { n: 4 });
    const bad = await enqueue("hooked", { fail: true });
    await until(() => came(good).length > 0 && came(bad).length > 0, "both webhooks");
    const [ofGood] = came(good);
    assert.deepEqual([ofGood?.path, ofGood?.verified], ["/good", true]);
    assert.deepEqual(ofGood?.event.requestPayload, { n: 4 });
    assert.deepEqual(ofGood?.event.responsePayload, { got: 4 });
    const [ofBad] = came(bad);
    assert.deepEqual([ofBad?.path, ofBad?.verified], ["/bad", true]);
    assert.deepEqual(
      [
        ofBad?.event["requestContext"]?.["condition"],
        ofBad?.event["requestContext"]?.["approximateInvokeCount"],
      ],
      ["RetriesExhausted", 2],
    );
    assert.equal((await wait(bad)).status, "error");
    assert.equal(came(good).length + came(bad).length, 2, "each heard once");
  });

  test("runs of a schedule and batches of an event source tell the version's destinations as queued calls do", async () => {
    const authz = {
      invoke_http_roles: ["admin"],
      invoke_schedule_roles: ["role:worker"],
      invoke_event_roles: ["role:worker"],
      invoke_cadence_roles: [],
    };
    await deploy("timed", { on_success: hook("/timed"), authz });
    await api.expect(201, "POST", `${NAMESPACE}/schedules`, {
      name: "timed",
      every_seconds: 3600,
      enabled: false,
      ref: { function: "timed", alias: "prod" },
      payload: { n: 6 },
    });
    const run = await api.expect<{ activation_id: string }>(202, "POST", `${NAMESPACE}/schedules/timed:run`);
    await until(() => came(run.activation_id).length > 0, "the end of a schedule's run");
    assert.deepEqual(came(run.activation_id)[0]?.event.responsePayload, { got: 6 });

    const files = {
      "manifest.json": manifest({ capabilities: { codeq: { publishTopics: ["told"] } } }),
      "function.js": `export default async (event) => {
        if (event.publish) return cs.codeq.publish("told", event.publish);
        if (JSON.stringify(event.Records).includes("fail")) throw new Error("it failed");
        return { records: event.Records.length };
      };`,
    };
    const config = { on_success: hook("/batch-good"), on_failure: hook("/batch-bad"), authz };
    await api.deploy({ name: "batches", files, config });
    await api.expect(201, "POST", `${NAMESPACE}/event-sources`, {
      name: "told",
      type: "codeq",
      codeq: { topic: "told" },
      ref: { function: "batches", alias: "prod" },
      batch_size: 1,
      retry: { max_attempts: 2, backoff_ms: 10 },
    });
    const heard = (path: string) => receiver.received.filter((each) => each.path === path);
    await api.invoke("batches", { publish: { n: 1 } });
    await until(() => heard("/batch-good").length > 0, "the end of a batch");
    assert.deepEqual(heard("/batch-good")[0]?.event.responsePayload, { records: 1 });
    await api.invoke("batches", { publish: { fail: true } });
    await until(() => heard("/batch-bad").length > 0, "the failure of a batch");
    assert.equal(heard("/batch-good").length, 1);
    assert.equal(heard("/batch-bad").length, 1, "once, after its last attempt");
  });

  test("synchronous calls and cancelled ones tell nobody", async () => {
    await deploy("quiet", { on_success: hook("/quiet"), on_failure: hook("/quiet") });
    await api.invoke("quiet", { n: 1 });
    const response = await api.call("POST", `${api.scope()}/quiet:invoke`, {
      mode: "async",
      delay_ms: 60_000,
    });
    const { activation_id } = (await response.json()) as { activation_id: string };
    await api.expect(202, "POST", `/v1/tenants/t_default/activations/${activation_id}:cancel`);
    const told = await enqueue("quiet", { n: 2 });
    await until(() => came(told).length > 0, "the queued one");
    assert.equal(receiver.received.filter(({ path }) => path === "/quiet").length, 1);
  });

  test("a function is called with the end, in the name of the caller, and links back", async () => {
    await deploy("calling", { on_success: { function: "next@prod" } });
    const id = await enqueue("calling", { n: 8 });
    const { event, ctx } = await seen(id);
    assert.deepEqual([event.requestPayload, event.responsePayload], [{ n: 8 }, { got: 8 }]);
    assert.equal(ctx.trigger.type, "event");
    assert.deepEqual(ctx.principal, { sub: "anonymous", roles: ["sp:cs-destinations", "admin"] });
    const record = await wait(ctx.activation_id);
    assert.deepEqual((record["trigger"] as { source: unknown }).source, {
      destination: "on_success",
      activation_id: id,
      function: "calling",
      version: 1,
    });
  });

  test("a topic gets the end as a message of its namespace, and sources of it run functions with it", async () => {
    const code = `export default async ({ Records }, ctx) => {
        for (const { messageId, body } of Records) await cs.kv.set("seen/" + messageId, { event: body, ctx });
      };`;
    const authz = { invoke_http_roles: ["admin"], invoke_event_roles: ["role:worker"] };
    await api.deploy({ name: "hears", files: { ...WORK, "function.js": code }, config: { authz } });
    await api.expect(201, "POST", `${NAMESPACE}/event-sources`, {
      name: "done",
      type: "codeq",
      codeq: { topic: "jobs.done" },
      ref: { function: "hears", alias: "prod" },
    });
    await deploy("topical", { on_success: { topic: "jobs.done" } });
    const id = await enqueue("topical", { n: 5 });
    const { event, ctx } = await seen(`dst_${id}_topic`);
    assert.deepEqual([event.requestPayload, event.responsePayload], [{ n: 5 }, { got: 5 }]);
    assert.equal(event.requestContext["activation_id"], id, "it links back");
    assert.equal(ctx.trigger.type, "event");
  });

  test("a webhook that keeps failing is tried again and ends as a dead letter that can be redriven", async () => {
    await deploy("failing", { on_success: hook("/failing") });
    receiver.answers.set(
      "/failing",
      Array.from({ length: 4 }, () => ({ status: 500 })),
    );
    const id = await enqueue("failing", { n: 1 });
    await until(async () => (await dead("failing")).length > 0, "the dead letter");
    const [letter] = await dead("failing");
    assert.deepEqual([letter?.id, letter?.attempt], [`dst_${id}`, 4]);
    assert.match(letter?.reason ?? "", /^attempt 4: webhook 127\.0\.0\.1:\d+ answered 500$/);
    assert.equal(came(id).length, 4, "one id for all tries");
    assert.equal((await wait(id)).status, "success", "the activation itself is as it ended");
    const shown = await api.expect<Record<string, unknown>>(200, "GET", `${NAMESPACE}/dlq/dst_${id}`);
    assert.deepEqual([shown["condition"], shown["activation_id"]], ["on_success", id]);
    assert.doesNotMatch(JSON.stringify(shown), /whsec_/);
    const edited = await api.expect<{ failed: { code: string }[] }>(202, "POST", `${NAMESPACE}/dlq:redrive`, {
      ids: [`dst_${id}`],
      event: 1,
    });
    assert.equal(edited.failed[0]?.code, "CS_VALIDATION_FAILED");
    await api.expect(202, "POST", `${NAMESPACE}/dlq:redrive`, { ids: [`dst_${id}`] });
    await until(() => came(id).length === 5, "the webhook again");
    assert.deepEqual(await dead("failing"), []);
  });

  test("one that fails for a moment is told in the end; one that is gone is asked no more", async () => {
    await deploy("flaky", { on_success: hook("/flaky") });
    receiver.answers.set("/flaky", [{ status: 503, headers: { "retry-after": "0" } }, { status: 302 }]);
    const id = await enqueue("flaky", {});
    await until(() => came(id).length === 3, "the third try");
    assert.deepEqual(await dead("flaky"), []);
    await deploy("gone", { on_success: hook("/gone") });
    receiver.answers.set("/gone", [{ status: 410 }]);
    const gone = await enqueue("gone", {});
    await until(async () => (await dead("gone")).length > 0, "the dead letter");
    assert.equal(came(gone).length, 1);
  });

  test("addresses that may not be called, roles and secrets that are missing end as dead letters", async () => {
    const target = { webhook: { url: "http://169.254.169.254/latest/meta-data" } };
    await deploy("inward", { on_success: target });
    await api.deploy({
      name: "closed",
      files: WORK,
      config: { authz: { invoke_http_roles: ["admin"], invoke_event_roles: [] } },
    });
    await deploy("uninvited", { on_success: { function: "closed" } });
    await deploy("nowhere", { on_success: { function: "missing-one" } });
    await deploy("unsigned", { on_success: hook("/unsigned", "not-set") });
    await api.expect(200, "PUT", `${NAMESPACE}/secrets/plain`, { value: "not a webhook secret" });
    await deploy("plain-secret", { on_success: hook("/plain", "plain") });
    const reasons: [string, RegExp][] = [
      ["inward", /169\.254\.169\.254|not allowed|may not|private/],
      ["uninvited", /lets nobody call it/],
      ["nowhere", /missing-one/],
      ["unsigned", /attempt 4: .*not-set has no value/],
      ["plain-secret", /cs webhook secret/],
    ];
    for (const [name] of reasons) await enqueue(name, {});
    for (const [name, reason] of reasons) {
      await until(async () => (await dead(name)).length > 0, `the dead letter of ${name}`);
      assert.match((await dead(name))[0]?.reason ?? "", reason, name);
    }
    assert.ok(!receiver.received.some(({ path }) => path === "/plain" || path === "/unsigned"));
  });

  test("a chain of destinations that leads in a circle ends", async () => {
    await deploy("circle", { on_success: { function: "circle@prod" } });
    await enqueue("circle", { n: 1 });
    await until(async () => (await dead("circle")).length > 0, "the end of the circle");
    assert.match((await dead("circle"))[0]?.reason ?? "", /more than 6 functions called one another/);
    const { items } = await api.expect<{ items: unknown[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/activations?function=circle&namespace=default",
    );
    assert.equal(items.length, 6);
  });

  test("work that grows too old tells of it, and so does work of a deleted function", async () => {
    const slow = "export default (ms) => new Promise((resolve) => setTimeout(resolve, ms));";
    const files = {
      ...WORK,
      "function.js": slow,
      "manifest.json": manifest({ limits: { maxConcurrency: 1, timeoutMs: 10_000 } }),
    };
    await api.deploy({
      name: "ageing",
      files,
      config: { retry: { max_age_ms: 300 }, on_failure: hook("/old") },
    });
    await enqueue("ageing", 900);
    const old = await enqueue("ageing", 1);
    await until(() => came(old).length > 0, "the webhook of the old one");
    assert.equal(came(old)[0]?.event["requestContext"]?.["condition"], "EventAgeExceeded");
    await api.deploy({ name: "doomed", files, config: { on_failure: hook("/doomed") } });
    // Longer than any process goes on with a function that was deleted.
    await enqueue("doomed", 3500);
    const doomed = await enqueue("doomed", 1);
    await api.expect(200, "DELETE", `${api.scope()}/doomed`);
    await until(() => came(doomed).length > 0, "the webhook of the deleted one");
    assert.equal(came(doomed)[0]?.event["requestContext"]?.["condition"], "NotRetryable");
  });

  test("a destination that cannot be is refused when it is published, and a new one is a new power", async () => {
    const refused = [
      { webhook: { url: "ftp://example.com/" } },
      { webhook: { url: "https://user:secret@example.com/" } },
      { webhook: { url: "https://example.com:22/" } },
      { webhook: { url: "https://" } },
      { webhook: { url: "https://example.com/", secret: "kv:t_second1/default/hook" } },
      { topic: "cs.invoke" },
      { topic: "../x" },
      { function: "Bad Name" },
      { function: "next@" },
      { function: "next", topic: "both" },
      {},
    ];
    const base = `${api.scope()}/next`;
    const encoded = Object.fromEntries(
      Object.entries(WORK).map(([path, text]) => [path, Buffer.from(text).toString("base64")]),
    );
    for (const on_success of refused) {
      const { draft_id } = await api.expect<{ draft_id: string }>(200, "PUT", `${base}/draft`, {
        files: encoded,
      });
      const response = await api.call("POST", `${base}/versions`, { draft_id, config: { on_success } });
      assert.equal(response.status, 400, JSON.stringify(on_success));
      await response.body?.cancel();
    }
    const published = (await api.publish({
      name: "next",
      files: WORK,
      config: { on_failure: { topic: "failed" } },
    })) as unknown as { powers: { added: { kind: string; what: string }[] } };
    assert.deepEqual(
      published.powers.added.filter(({ kind }) => kind === "destination"),
      [{ kind: "destination", what: "on_failure topic failed" }],
    );
  });
}
