import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { describe, test } from "node:test";
import { luaCode, readListedCommands, readLuaCalls, readSends } from "@sous/store/testing";
import { readScripts } from "./scripts.ts";
import { keysOfShard, SHARD_KEYS } from "./shard-keys.ts";

const listed = readListedCommands("queue");
/** What the client itself may send when it connects. */
const CLIENT = ["AUTH", "SELECT"];
/** What is sent by the parts that this driver shares with the store's. */
const SHARED = ["EVAL", "EVALSHA", "INFO", "SCRIPT"];

const folder = import.meta.dirname;
const luaFiles = globSync("lua/*.lua", { cwd: folder });
const codeOf = (path: string): string => luaCode(folder, path);
const calls = readLuaCalls(folder);

describe("commands that KVRocks has", () => {
  test("scripts name each command as it stands in the document", () => {
    assert.ok(calls.length > 60, `${calls.length} calls were found`);
    for (const { path, command } of calls) {
      assert.match(command, /^'[A-Z]+'$/, `${path}: ${command} is not a plain name`);
      assert.ok(
        listed.has(command.slice(1, -1)),
        `${path}: ${command} is not in docs/reference/kvrocks-commands.md`,
      );
    }
  });

  test("the driver sends only commands of the document, and the document lists no other", () => {
    const sent = readSends(folder);
    for (const { path, name } of sent) {
      assert.match(name, /^"[A-Z]+"$/, `${path}: ${name} is not a plain name`);
      assert.ok(listed.has(name.slice(1, -1)), `${path}: ${name} is not in the document`);
    }
    const used = new Set([
      ...CLIENT,
      ...SHARED,
      ...sent.map(({ name }) => name.slice(1, -1)),
      ...calls.map(({ command }) => command.slice(1, -1)),
    ]);
    assert.deepEqual([...listed].sort(), [...used].sort());
  });
});

describe("declared keys", () => {
  const named = new Map(
    [...codeOf("lua/prelude.lua").matchAll(/^local ([A-Z, ]+) = (KEYS\[.+)$/gm)].flatMap(
      ([, names = "", keys = ""]) =>
        names.split(", ").map((name, at) => [name, keys.split(", ")[at] ?? ""] as const),
    ),
  );

  test("a shard's scripts name its keys in the order in which the driver gives them", () => {
    assert.deepEqual(
      [...named.values()],
      SHARD_KEYS.map((_, at) => `KEYS[${at + 1}]`),
    );
    assert.deepEqual(
      [...named.keys()].map((name) => name.toLowerCase()),
      SHARD_KEYS,
    );
  });

  test("every key a script uses is one of KEYS, and none is computed", () => {
    const withoutKey = new Set(["'TIME'", "'PUBLISH'"]);
    const ofReplies = new Map([
      ["CHANNEL", ""],
      ["RESULTS", ""],
    ]);
    for (const { path, command, key } of calls) {
      if (withoutKey.has(command)) continue;
      const known = path.endsWith("reply.lua") ? ofReplies : named;
      // `key` runs through a list of names in one place of the claim.
      const isLoop = path.endsWith("claim.lua") && key === "key";
      assert.ok(known.has(key) || isLoop, `${path}: ${command} of ${key}`);
    }
    assert.match(codeOf("lua/claim.lua"), /for _, key in ipairs\(\{ DUE, LEASES \}\) do/);
    assert.match(codeOf("lua/reply.lua"), /^local CHANNEL, RESULTS = KEYS\[1\], KEYS\[2\]$/m);
    for (const path of luaFiles) {
      const uses = codeOf(path).match(/KEYS\b/g) ?? [];
      const expected = path.endsWith("prelude.lua") ? SHARD_KEYS.length : path.endsWith("reply.lua") ? 2 : 0;
      assert.equal(uses.length, expected, `${path} takes keys at its top only`);
    }
  });

  test("names of keys are never given anew, and no script leaves a global behind", () => {
    const { shard, reply } = readScripts(false);
    for (const { source } of [...Object.values(shard), reply]) {
      const code = source.replaceAll(/--.*$/gm, "");
      for (const name of named.keys()) {
        assert.doesNotMatch(code, new RegExp(`^\\s*${name}\\s*=[^=]`, "m"));
      }
      assert.doesNotMatch(code, /\b(_G|setfenv|loadstring|rawset)\b/);
    }
  });

  test("all keys of a shard lie in one slot", () => {
    const tags = keysOfShard("p:", "user/t_a/default/x", 3).map((key) => /\{([^}]+)\}/.exec(key)?.[1]);
    assert.deepEqual([...new Set(tags)], ["user/t_a/default/x#3"]);
  });
});
