import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createApi, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const TENANT = "/v1/tenants/t_default";

interface Activation {
  activation_id: string;
  status: string;
  trigger: { source: Record<string, unknown> };
}

describe("the examples of orders, as their README sets them up", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: ReturnType<typeof createApi>;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
    const orders = ["event-source", "create", "orders", "--type", "webhook", "--fn", "order-intake@prod"];
    const batches = ["--batch-size", "10", "--batch-window", "1s"];
    for (const command of [
      ["fn", "deploy", `${EXAMPLES}/order-rejects`],
      ["fn", "deploy", `${EXAMPLES}/order-intake`],
      [...orders, ...batches, "--max-attempts", "2", "--on-failure", "function:order-rejects@prod"],
    ]) {
      const { code, stderr } = await runCs(server.url, command);
      assert.equal(code, 0, stderr);
    }
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  const activations = async (name: string): Promise<Activation[]> => {
    const query = `trigger=event&namespace=default&function=${name}`;
    return (await api.expect<{ items: Activation[] }>(200, "GET", `${TENANT}/activations?${query}`)).items;
  };
  async function send(id: string, order: object): Promise<void> {
    const answer = await fetch(`${server.url}/v1/events/t_default/default/orders`, {
      method: "POST",
      headers: { "content-type": "application/cloudevents+json" },
      body: JSON.stringify({ specversion: "1.0", id, source: "/shop", type: "order.placed", data: order }),
    });
    assert.equal(answer.status, 202, await answer.text());
  }
  const resultOf = async (id: string): Promise<unknown> => {
    const { result } = await api.expect<{ result: { body: string } }>(
      200,
      "GET",
      `${TENANT}/activations/${id}`,
    );
    return JSON.parse(result.body);
  };

  test("good orders are taken; a bad one is given up, and its destination says from where", async () => {
    await send("o-1", { customer: "ada", cents: 350 });
    await send("o-2", { customer: "", cents: 1 });
    await send("o-3", { customer: "bob", cents: 80 });
    const ended = async (name: string) =>
      (await activations(name)).filter(({ status }) => status === "success");
    await until(async () => (await ended("order-rejects")).length > 0, "the reject", 30_000);
    const [reject, ...more] = await activations("order-rejects");
    assert.ok(reject !== undefined && more.length === 0);
    assert.deepEqual(await resultOf(reject.activation_id), { kept: ["o-2"] });
    assert.equal(reject.trigger.source["destination"], "on_failure");
    const from = reject.trigger.source["activation_id"];
    assert.ok((await activations("order-intake")).some(({ activation_id }) => activation_id === from));

    const taken = async (): Promise<string[]> => {
      const results = (await ended("order-intake")).map(({ activation_id }) => resultOf(activation_id));
      const all = (await Promise.all(results)) as { taken: { id: string }[] }[];
      return all.flatMap((each) => each.taken.map(({ id }) => id)).toSorted();
    };
    await until(async () => (await taken()).length >= 2, "the good ones", 30_000);
    assert.deepEqual(await taken(), ["o-1", "o-3"]);
    const dead = await api.expect<{ items: unknown[] }>(
      200,
      "GET",
      `${TENANT}/namespaces/default/dlq?function=order-intake`,
    );
    assert.equal(dead.items.length, 1);
  });
});
