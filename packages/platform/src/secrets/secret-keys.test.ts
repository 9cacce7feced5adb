import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { openSecretKeys } from "./secret-keys.ts";

const root = mkdtempSync(join(tmpdir(), "sous-keys-"));
test.after(() => rmSync(root, { recursive: true, force: true }));

test("the key file is made when a key is first needed, for its owner alone, and kept", () => {
  const folder = join(root, "new", "data");
  const keys = openSecretKeys({ configured: [], folder });
  assert.equal(keys.find("0123456789"), undefined, "a look-up makes nothing");
  assert.throws(() => statSync(folder), { code: "ENOENT" });
  const { id } = keys.current();
  const path = join(folder, "secrets.key");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["secrets.key"]);
  const again = openSecretKeys({ configured: [], folder });
  assert.equal(again.find(id)?.id, id);
  assert.equal(again.current().id, id);
  assert.ok(!readFileSync(path, "utf8").includes(id));
});

test("the first line of the file is for new values, the others open old ones", () => {
  const folder = mkdtempSync(join(root, "two-"));
  const old = openSecretKeys({ configured: [], folder }).current().id;
  const path = join(folder, "secrets.key");
  writeFileSync(path, `${randomBytes(32).toString("base64")}\n${readFileSync(path, "utf8")}`);
  const keys = openSecretKeys({ configured: [], folder });
  assert.notEqual(keys.current().id, old);
  assert.equal(keys.find(old)?.id, old);
});

test("a new key stands before the others, for every process that has the file", () => {
  const folder = mkdtempSync(join(root, "renew-"));
  const keys = openSecretKeys({ configured: [], folder });
  const elsewhere = openSecretKeys({ configured: [], folder });
  const first = keys.current().id;
  assert.equal(elsewhere.current().id, first);
  const second = keys.renew().id;
  assert.notEqual(second, first);
  assert.equal(keys.current().id, second);
  assert.equal(keys.find(first)?.id, first);
  assert.equal(elsewhere.find(second)?.id, second, "what was sealed with it opens elsewhere");
  assert.equal(elsewhere.current().id, second);
  assert.equal(elsewhere.find(first)?.id, first);
  const path = join(folder, "secrets.key");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(readFileSync(path, "utf8").trim().split("\n").length, 2);
  assert.deepEqual(readdirSync(folder), ["secrets.key"]);
  assert.notEqual(openSecretKeys({ configured: [], folder: join(folder, "none") }).renew().id, second);
});

test("a change of the keys that was cut off is told, and takes nothing away", () => {
  const folder = mkdtempSync(join(root, "cut-"));
  const keys = openSecretKeys({ configured: [], folder });
  const { id } = keys.current();
  writeFileSync(join(folder, "secrets.key.new"), "half a ke");
  assert.throws(() => keys.renew(), { code: "CS_CONFLICT", message: /secrets\.key\.new/ });
  assert.equal(openSecretKeys({ configured: [], folder }).current().id, id);
  rmSync(join(folder, "secrets.key.new"));
  assert.notEqual(keys.renew().id, id);
});

test("a key file that is gone is not made anew by who has read it", () => {
  const folder = mkdtempSync(join(root, "gone-"));
  const keys = openSecretKeys({ configured: [], folder });
  const { id } = keys.current();
  rmSync(join(folder, "secrets.key"));
  assert.deepEqual([keys.current().id, keys.find(id)?.id], [id, id]);
  assert.deepEqual(readdirSync(folder), []);
});

test("a new key beside the operator's is refused with what to do", () => {
  const configured = [randomBytes(32).toString("base64")];
  const keys = openSecretKeys({ configured, folder: join(root, "never") });
  assert.throws(() => keys.renew(), { code: "CS_CONFLICT", message: /SOUS_SECRETS_KEY/ });
});

test("a key file that others can read is refused", { skip: process.platform === "win32" }, () => {
  const folder = mkdtempSync(join(root, "open-"));
  openSecretKeys({ configured: [], folder }).current();
  chmodSync(join(folder, "secrets.key"), 0o640);
  const keys = openSecretKeys({ configured: [], folder });
  assert.throws(() => keys.current(), { code: "CS_SECRET_UNAVAILABLE", message: /chmod 600/ });
});

test("an empty key file is no key, and is not written over", () => {
  const folder = mkdtempSync(join(root, "empty-"));
  writeFileSync(join(folder, "secrets.key"), "", { mode: 0o600 });
  assert.throws(() => openSecretKeys({ configured: [], folder }).current(), {
    code: "CS_SECRET_UNAVAILABLE",
  });
  assert.equal(readFileSync(join(folder, "secrets.key"), "utf8"), "");
});

test("configured keys stand before the file, in base64, base64url or hexadecimal", () => {
  const bytes = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;
  const folder = join(root, "never");
  const [first, second, third] = bytes;
  const configured = [first.toString("base64"), second.toString("hex"), third.toString("base64url")];
  const keys = openSecretKeys({ configured, folder });
  const ids = bytes.map((key) => openSecretKeys({ configured: [key.toString("hex")], folder }).current().id);
  assert.equal(keys.current().id, ids[0]);
  for (const id of ids) assert.equal(keys.find(id)?.id, id);
  assert.throws(() => statSync(folder), { code: "ENOENT" });
});

test("a configured key that is none is refused without being shown", () => {
  for (const text of [
    "hunter2-hunter2",
    "x".repeat(42),
    randomBytes(31).toString("base64"),
    "ab".repeat(33),
  ]) {
    assert.throws(
      () => openSecretKeys({ configured: [text], folder: root }),
      (error: Error & { code?: string }) =>
        error.code === "CS_VALIDATION_FAILED" && !error.message.includes(text),
      text,
    );
  }
});
