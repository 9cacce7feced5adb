import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, manifest, until } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const [HEAVY, LIGHT] = ["t_heavy01", "t_light01"];
const EACH = 30;
const FILES = { "manifest.json": manifest({}), "function.js": "export default () => 1;" };

test("while more waits than runs a tenant is taken by its weight", async () => {
  using data = scratchFolder();
  const settings = {
    data: data.path,
    tenant_weights: [`${HEAVY}=2`, `${HEAVY}=4`],
    "limits.inflight_max": 1,
  };
  await using server = await startServer({ settings });
  const api = createApi(server.url);
  const begun: { tenant: string; startMs: number }[] = [];
  const ids: [tenant: string, id: string][] = [];
  for (const tenant of [HEAVY, LIGHT]) await api.deploy({ name: "one", files: FILES, tenant });
  const queue = async (tenant: string): Promise<void> => {
    const path = `/v1/tenants/${tenant}/namespaces/default/functions/one:invoke`;
    const response = await api.call("POST", path, { mode: "async", event: null, delay_ms: 4000 });
    assert.equal(response.status, 202, await response.clone().text());
    ids.push([tenant, ((await response.json()) as { activation_id: string }).activation_id]);
  };
  // All of them are due before the first is taken up: the blocker runs longer than they come in.
  const files = {
    ...FILES,
    "function.js": "export default (ms) => new Promise((end) => setTimeout(end, ms));",
  };
  await api.deploy({
    name: "blocker",
    files: { ...files, "manifest.json": manifest({ limits: { timeoutMs: 30_000 } }) },
  });
  for (let n = 0; n < EACH; n++) await Promise.all([queue(LIGHT), queue(HEAVY)]);
  await api.enqueue("blocker", 5000);
  for (const [tenant, id] of ids) {
    let startMs = 0;
    await until(
      async () => {
        const path = `/v1/tenants/${tenant}/activations/${id}`;
        const record = await api.expect<{ status: string; start_ms: number }>(200, "GET", path);
        startMs = record.start_ms;
        return record.status === "success";
      },
      `the end of ${id}`,
      60_000,
    );
    begun.push({ tenant, startMs });
  }
  begun.sort((a, b) => a.startMs - b.startMs);
  const first = begun.slice(0, EACH).filter(({ tenant }) => tenant === HEAVY).length;
  // Four of five, but for those of one millisecond, whose order is not known.
  assert.ok(first >= EACH * 0.7 && first <= EACH * 0.9, `${first} of the first ${EACH}`);
});
