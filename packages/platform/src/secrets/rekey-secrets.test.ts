import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import test, { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import type { RekeyReply, SecretRecord } from "@sous/contract";
import type { Store } from "@sous/store";
import { missingPostgres, type PostgresServer, startPostgres, withRedis } from "@sous/store/testing";
import { openVault } from "./fixtures/open-vault.ts";
import { rekeySecrets } from "./rekey-secrets.ts";
import { openSecretKeys } from "./secret-keys.ts";
import type { SecretPlace } from "./secret-ref.ts";

const PROCESS = fileURLToPath(new URL("./fixtures/rekey-process.ts", import.meta.url));
const [OLD = "", NEW = "", OTHER = ""] = [1, 2, 3].map(() => randomBytes(32).toString("base64"));
const idOf = (key: string): string => openSecretKeys({ configured: [key], folder: "/" }).current().id;

/** Over two tenants and three namespaces, more than one part in each. */
const PLACES: SecretPlace[] = [
  { tenant: "t_default", namespace: "default" },
  { tenant: "t_default", namespace: "other" },
  { tenant: "t_other1", namespace: "default" },
].flatMap((scope) => Array.from({ length: 70 }, (_, n) => ({ ...scope, name: `key-${n}` })));
const valueOf = ({ tenant, namespace, name }: SecretPlace): string => `${tenant} ${namespace} ${name}`;

async function fill(url: string): Promise<void> {
  await using old = await openVault(url, [OLD]);
  await Promise.all(PLACES.map((place) => old.vault.put(place, valueOf(place))));
}

async function recordOf({ secrets }: Store, { tenant, namespace, name }: SecretPlace): Promise<SecretRecord> {
  const found = await secrets.get({ tenant, namespace }, name);
  assert.ok(found, `${namespace}/${name} is there`);
  return found.record;
}

/** Walks over everything. @returns the parts */
async function walk({ store, keys }: Awaited<ReturnType<typeof openVault>>): Promise<RekeyReply[]> {
  const parts: RekeyReply[] = [];
  let cursor: string | undefined;
  do {
    const options = { store: store.secrets, keys, clock: Date.now, stepMs: 0 };
    const part = await rekeySecrets(options, cursor);
    parts.push(part);
    cursor = part.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return parts;
}
const sum = (parts: readonly RekeyReply[], field: "seen" | "resealed"): number =>
  parts.reduce((total, part) => total + part[field], 0);

/** Begins in a process of its own, and kills it while it is at its third part. */
async function killedMidway(url: string): Promise<void> {
  const args = ["--disable-warning=ExperimentalWarning", PROCESS, url, NEW, OLD];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    assert.ok(done !== true, "the process lives");
    return value as string;
  };
  assert.equal(await next(), "ready");
  for (let part = 1; part <= 3; part++) {
    child.stdin.write("go\n");
    assert.equal(await next(), "begun");
    if (part < 3) assert.equal((JSON.parse(await next()) as RekeyReply).resealed, part === 1 ? 50 : 20);
  }
  child.kill("SIGKILL");
  await once(child, "exit");
}

function suite(engine: string, open: () => string): void {
  test(`${engine}: killed midway nothing is lost, what is done stays done, and the rest is done later`, async () => {
    const url = open();
    await fill(url);
    let before: SecretRecord[];
    {
      await using old = await openVault(url, [OLD]);
      before = await Promise.all(PLACES.map((place) => recordOf(old.store, place)));
    }
    await killedMidway(url);
    {
      await using both = await openVault(url, [NEW, OLD]);
      for (const place of PLACES) assert.equal(await both.vault.read(place), valueOf(place));
      const ids = await Promise.all(
        PLACES.map(async (place) => (await recordOf(both.store, place)).key_id === idOf(NEW)),
      );
      const done = ids.filter(Boolean).length;
      assert.ok(done >= 70 && done <= 120, `${done} were done`);
      const parts = await walk(both);
      assert.deepEqual([sum(parts, "seen"), sum(parts, "resealed")], [PLACES.length, PLACES.length - done]);
      assert.ok(parts.every(({ seen }) => seen <= 50));
      assert.equal(sum(await walk(both), "resealed"), 0, "there is nothing left to do");
    }
    await using anew = await openVault(url, [NEW]);
    for (const [at, place] of PLACES.entries()) {
      assert.equal(await anew.vault.read(place), valueOf(place));
      assert.deepEqual(await recordOf(anew.store, place), { ...before[at], key_id: idOf(NEW) });
    }
  });

  test(`${engine}: values set meanwhile stay, and what no key opens is named and left alone`, async () => {
    const url = open();
    await fill(url);
    const lost = { tenant: "t_default", namespace: "default", name: "lost" };
    {
      await using other = await openVault(url, [OTHER]);
      await other.vault.put(lost, "sealed with a key that is gone");
    }
    await using both = await openVault(url, [NEW, OLD]);
    await using stale = await openVault(url, [OLD, NEW]);
    const sets = PLACES.map((place) => stale.vault.put(place, `${valueOf(place)}, set anew`));
    const [parts] = await Promise.all([walk(both), ...sets]);
    const unreadable = parts.flatMap((part) => part.unreadable);
    assert.deepEqual(
      unreadable.map(({ tenant, namespace, name, key_id }) => [tenant, namespace, name, key_id]),
      [[lost.tenant, lost.namespace, lost.name, idOf(OTHER)]],
    );
    assert.match(unreadable[0]?.message ?? "", /does not have/);
    await walk(both);
    await using anew = await openVault(url, [NEW]);
    for (const place of PLACES) assert.equal(await anew.vault.read(place), `${valueOf(place)}, set anew`);
    await using other = await openVault(url, [OTHER]);
    assert.equal(await other.vault.read(lost), "sealed with a key that is gone");
  });
}

const folder = mkdtempSync(join(tmpdir(), "sous-rekey-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let opened = 0;

suite("sqlite", () => join(folder, `${++opened}.db`));

void describe("redis", () => {
  withRedis({ durable: true }, (server) => suite("redis", () => `${server().url}?prefix=rekey${++opened}:`));
});

const missing = missingPostgres();
if (missing !== undefined) {
  test("postgres: rekey", (context) => {
    assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
    context.skip(missing);
  });
} else {
  void describe("postgres", () => {
    let server: PostgresServer;
    before(async () => {
      server = await startPostgres();
    });
    after(() => server[Symbol.asyncDispose]());
    suite("postgres", () => server.database().url);
  });
}

test("a cursor of nobody's is refused", async () => {
  await using both = await openVault(":memory:", [NEW, OLD]);
  const options = { store: both.store.secrets, keys: both.keys, clock: Date.now };
  for (const cursor of ["", "nonsense", Buffer.from('["a",1,"b"]').toString("base64url")]) {
    await assert.rejects(rekeySecrets(options, cursor), { code: "CS_VALIDATION_FAILED" }, cursor);
  }
});
