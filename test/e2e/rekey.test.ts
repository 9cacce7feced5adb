import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import test from "node:test";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const NAMESPACES = ["default", "second", "third"];
const EACH = 200;
const READER = {
  "manifest.json": manifest(),
  "function.js": `export default async () => (await cs.secrets.get("key-7"));`,
};

interface Rekeyed {
  key_id: string;
  seen: number;
  resealed: number;
  unreadable: unknown[];
}

const secretsOf = (namespace: string): string => `/v1/tenants/t_default/namespaces/${namespace}/secrets`;

/** @returns how many secrets have each key */
async function keysOf(api: Api): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const namespace of NAMESPACES) {
    const { items } = await api.expect<{ items: { key_id: string }[] }>(
      200,
      "GET",
      `${secretsOf(namespace)}?limit=500`,
    );
    for (const { key_id } of items) counts[key_id] = (counts[key_id] ?? 0) + 1;
  }
  return counts;
}

async function setAll(api: Api): Promise<void> {
  for (const namespace of NAMESPACES) {
    for (let at = 0; at < EACH; at += 20) {
      const names = Array.from({ length: 20 }, (_, n) => `key-${at + n}`);
      await Promise.all(
        names.map((name) =>
          api.expect(200, "PUT", `${secretsOf(namespace)}/${name}`, { value: `the value of ${name}` }),
        ),
      );
    }
  }
}

test("the platform is killed while it encrypts anew: functions read their secrets, and the rest is done later", async () => {
  using data = scratchFolder();
  const settings = { data: data.path };
  const keyFile = join(data.path, "secrets.key");
  const lines = (): string[] => readFileSync(keyFile, "utf8").trim().split("\n");
  const reads = async (api: Api): Promise<void> =>
    assert.equal((await api.invoke("reader", null)).result?.body, '"the value of key-7"');
  {
    await using server = await startServer({ settings });
    const api = createApi(server.url);
    await setAll(api);
    await api.deploy({ name: "reader", files: READER, config: { secrets: ["key-7"] } });
    await reads(api);
    const running = runCs(server.url, ["secret", "rekey", "--new-key", "--json"]);
    await until(() => existsSync(keyFile) && lines().length === 2, "a new key", 30_000);
    await server.kill();
    assert.equal((await running).code, 2);
  }
  {
    await using server = await startServer({ settings });
    const api = createApi(server.url);
    await reads(api);
    const before = await keysOf(api);
    assert.equal(
      Object.values(before).reduce((sum, count) => sum + count, 0),
      NAMESPACES.length * EACH,
    );
    const { code, stdout, stderr } = await runCs(server.url, ["secret", "rekey", "--json"]);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as Rekeyed;
    const left = NAMESPACES.length * EACH - (before[report.key_id] ?? 0);
    assert.deepEqual([report.seen, report.resealed, report.unreadable], [NAMESPACES.length * EACH, left, []]);
    assert.deepEqual(await keysOf(api), { [report.key_id]: NAMESPACES.length * EACH });
    await reads(api);
    assert.equal(lines().length, 2, "the old key is the operator's to take away");
    const { items } = await api.expect<{ items: { type: string; data: unknown }[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/audit-events?type=SecretsRekeyed&outcome=success",
    );
    assert.ok(items.length > 0);
  }
  writeFileSync(keyFile, `${lines()[0]}\n`);
  await using server = await startServer({ settings });
  await reads(createApi(server.url));
});

test("keys of the operator are changed by the operator, and what no key opens is named", async () => {
  using data = scratchFolder();
  const [first, second] = [1, 2].map(() => randomBytes(32).toString("base64"));
  const one = `${secretsOf("default")}/one`;
  {
    await using server = await startServer({ settings: { data: data.path, secrets_key: [first] } });
    await createApi(server.url).expect(200, "PUT", one, { value: "a value" });
    const refused = await runCs(server.url, ["secret", "rekey", "--new-key", "--json"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /SOUS_SECRETS_KEY/);
  }
  {
    await using server = await startServer({ settings: { data: data.path, secrets_key: [second] } });
    const lost = await runCs(server.url, ["secret", "rekey", "--json"]);
    assert.equal(lost.code, 2);
    const { unreadable } = JSON.parse(lost.stdout) as { unreadable: { name: string }[] };
    assert.deepEqual(
      unreadable.map(({ name }) => name),
      ["one"],
    );
  }
  await using server = await startServer({ settings: { data: data.path, secrets_key: [second, first] } });
  const done = await runCs(server.url, ["secret", "rekey"], {}, "");
  assert.equal(done.code, 0, done.stderr);
});
