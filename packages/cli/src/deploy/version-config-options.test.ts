import test from "node:test";
import assert from "node:assert/strict";
import { secretList } from "./version-config-options.ts";

test("secrets are names, or names with the host and the header they are for", () => {
  assert.deepEqual(
    secretList("plain, kv:t_default/pay/key ,key@api.example.com,key@*.example.com:X-Api-Key,key@[::1]:auth"),
    [
      "plain",
      "kv:t_default/pay/key",
      { name: "key", host: "api.example.com" },
      { name: "key", host: "*.example.com", header: "X-Api-Key" },
      { name: "key", host: "[::1]", header: "auth" },
    ],
  );
  for (const bad of ["@host", "key@", "key@host:", "key@host:80:x", "a@b@c"]) {
    assert.throws(() => secretList(bad), /NAME@HOST/, bad);
  }
});
