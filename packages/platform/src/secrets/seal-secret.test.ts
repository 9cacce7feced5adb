import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { openSecret, sealSecret } from "./seal-secret.ts";
import { openSecretKeys } from "./secret-keys.ts";

const newKey = () => randomBytes(32).toString("base64");
const keysOf = (...configured: string[]) => openSecretKeys({ configured, folder: "/nonexistent" });
const PLACE = { tenant: "t_default", namespace: "default", name: "stripe_key" };
const UNAVAILABLE = { code: "CS_SECRET_UNAVAILABLE" };

test("what is sealed opens again, and never looks the same twice", () => {
  const keys = keysOf(newKey());
  for (const value of ["x", "sk_live_é👋\n", "y".repeat(64 * 1024)]) {
    const { sealed, key_id } = sealSecret(keys, PLACE, value);
    assert.equal(openSecret(keys, PLACE, sealed), value);
    assert.equal(key_id, keys.current().id);
    assert.notEqual(sealSecret(keys, PLACE, value).sealed, sealed);
    assert.ok(!sealed.includes(value) || value === "x");
  }
});

test("moved to another name, namespace or tenant it does not open", () => {
  const keys = keysOf(newKey());
  const { sealed } = sealSecret(keys, PLACE, "secret");
  for (const change of [{ name: "other" }, { namespace: "other" }, { tenant: "t_other1" }]) {
    assert.throws(() => openSecret(keys, { ...PLACE, ...change }, sealed), UNAVAILABLE);
  }
  const shifted = { tenant: "t_default", namespace: "default/stripe", name: "key" };
  assert.throws(() => openSecret(keys, shifted, sealed), UNAVAILABLE);
});

test("changed anywhere it does not open, and nothing but our error comes out", () => {
  const keys = keysOf(newKey());
  const { sealed } = sealSecret(keys, PLACE, "secret");
  for (let at = 0; at < sealed.length; at += 1) {
    const other = sealed[at] === "A" ? "B" : "A";
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
    // The last characters of base64 may hold bits that no byte has.
    const same = Buffer.from(changed.split(".")[2] ?? "", "base64url").equals(
      Buffer.from(sealed.split(".")[2] ?? "", "base64url"),
    );
    if (same && changed.startsWith(sealed.slice(0, 12))) continue;
    assert.throws(() => openSecret(keys, PLACE, changed), UNAVAILABLE, `character ${at}`);
  }
  for (const text of ["", ".", "1", "1.x.y", "2.a.b", `${sealed}.`.slice(0, 20), sealed.slice(0, -8)]) {
    assert.throws(() => openSecret(keys, PLACE, text), UNAVAILABLE, text);
  }
});

test("after a rotation old values open as long as their key is there", () => {
  const [old, fresh] = [newKey(), newKey()];
  const { sealed } = sealSecret(keysOf(old), PLACE, "secret");
  const rotated = keysOf(fresh, old);
  assert.equal(openSecret(rotated, PLACE, sealed), "secret");
  assert.notEqual(sealSecret(rotated, PLACE, "secret").key_id, keysOf(old).current().id);
  assert.throws(() => openSecret(keysOf(fresh), PLACE, sealed), {
    ...UNAVAILABLE,
    message: /encrypted with the key [0-9a-f]{10}, which this server does not have/,
  });
});
