import assert from "node:assert/strict";
import { test } from "node:test";
import { sandboxRoom } from "./sandbox-room.ts";

const GiB = 1024 ** 3;

test("a large machine keeps thousands of programs warm, a small one still some, and none is overcommitted", () => {
  assert.deepEqual(sandboxRoom(24 * GiB), { hostsMax: 122, programsPerHostMax: 100, programsMax: 3686 });
  assert.deepEqual(sandboxRoom(0.25 * GiB), { hostsMax: 4, programsPerHostMax: 100, programsMax: 64 });
  assert.deepEqual(sandboxRoom(1024 * GiB).hostsMax, 256);
});
