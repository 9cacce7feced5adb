import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { describe, test } from "node:test";
import { luaCode, readListedCommands, readLuaCalls, readSends } from "../testing/index.ts";
import { WRITE_PARTS } from "./store-scripts.ts";

const listed = readListedCommands("store");
/** What the client itself may send when it connects. */
const CLIENT = ["AUTH", "SELECT"];
/** What is sent by the parts that this driver shares with the queue's. */
const SHARED = ["EVAL", "EVALSHA", "INFO", "SCRIPT"];

const folder = import.meta.dirname;
const luaFiles = globSync("lua/*.lua", { cwd: folder });
const calls = readLuaCalls(folder);

describe("commands that KVRocks has", () => {
  test("scripts name each command as it stands in the document", () => {
    assert.ok(calls.length > 80, `${calls.length} calls were found`);
    for (const { path, command } of calls) {
      assert.match(command, /^'[A-Z]+'$/, `${path}: ${command} is not a plain name`);
      assert.ok(listed.has(command.slice(1, -1)), `${path}: ${command} is not in the document`);
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
  test("every key a script uses is a name it took from its own keys, and none is computed", () => {
    for (const { path, command, key } of calls) {
      assert.match(key, /^[A-Z_]+$/, `${path}: ${command} of ${key}`);
    }
    for (const path of luaFiles) {
      const code = luaCode(folder, path);
      for (const [line, value = ""] of code.matchAll(/^\s*local [A-Z]{2,}[A-Z_, ]* = (.*)$/gm)) {
        // A version's key is chosen among those declared for it.
        const isTaken = /^(unpack\(K(, 1, \d)?\)|K\[[^\]]+\](, K\[\d\])*|KEYS\[1\], KEYS\[2\])$/.test(value);
        const isVersion = path.endsWith("versions.lua") && /and K\[7 \+ .*\] or nil$/.test(value);
        assert.ok(isTaken || isVersion, `${path}: ${line.trim()}`);
      }
      assert.doesNotMatch(code, /\b(_G|setfenv|loadstring|rawset)\b/, path);
    }
  });

  test("every part of the script of writes is one of its files, and no file is left over", () => {
    const parts = [...WRITE_PARTS, "kv-get", "find-end"].map((name) => `lua/${name}.lua`);
    assert.deepEqual(luaFiles.toSorted(), parts.toSorted());
  });
});
