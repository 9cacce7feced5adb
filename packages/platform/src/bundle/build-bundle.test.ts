import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import test from "node:test";
import { LIMITS } from "@sous/contract";
import { extract, pack } from "tar-stream";
import { buildBundle } from "./build-bundle.ts";
import { sampleFiles, withCode } from "./bundle-samples.fixture.ts";

test("the same files give the same bytes in whatever order they come", () => {
  const files = sampleFiles({ "lib/a.js": "1", "lib/B.js": "2", "a.js": "3", "é.txt": "4" });
  const first = buildBundle(files);
  const second = buildBundle(new Map([...files].toReversed()));
  assert.deepEqual(first.tar, second.tar);
  assert.equal(first.sha256, second.sha256);
  assert.equal(first.manifest.entry, "function.js");
});

test("the hash of a bundle never changes between releases", () => {
  assert.equal(
    buildBundle(sampleFiles()).sha256,
    "2358001eb645961ba2bb501ae69f96067432bffaf72f84e4efec24040f18e8c5",
  );
});

test("both Unicode spellings of a name give the same bundle", () => {
  const composed = buildBundle(sampleFiles({ "caf\u00e9.txt": "x" }));
  const decomposed = buildBundle(sampleFiles({ "cafe\u0301.txt": "x" }));
  assert.equal(composed.sha256, decomposed.sha256);
});

test("the bytes are those tar-stream writes for the same entries", async () => {
  const long = `${"d".repeat(60)}/${"e".repeat(60)}/${"f".repeat(90)}.js`;
  const files = sampleFiles({ [long]: "1", "lib/b.js": "", "x.bin": "y".repeat(1025) });
  const packer = pack();
  for (const name of [...files.keys()].sort()) {
    packer.entry(
      { name, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) },
      Buffer.from(files.get(name) ?? []),
    );
  }
  packer.finalize();
  assert.deepEqual(Buffer.from(buildBundle(files).tar), await buffer(packer));
});

test("an ordinary tar reader gets every file back", async () => {
  const files = sampleFiles({ "lib/é.js": "export const a = 1;", "empty.txt": "" });
  const reader = extract();
  reader.end(Buffer.from(buildBundle(files).tar));
  const seen = new Map<string, Uint8Array>();
  for await (const entry of reader) {
    assert.equal(entry.header.type, "file");
    assert.equal(entry.header.mode, 0o644);
    seen.set(entry.header.name, new Uint8Array(await buffer(entry)));
  }
  assert.equal(seen.size, files.size);
  for (const [path, bytes] of files) assert.deepEqual(seen.get(path), new Uint8Array(bytes));
});

const badPaths: [string, RegExp][] = [
  ["", /empty/],
  ["/etc/passwd", /absolute/],
  ["C:/x", /absolute/],
  ["../x", /\.\. segment/],
  ["a/../b", /\.\. segment/],
  ["./a", /\. or/],
  ["a//b", /empty segment/],
  ["a/", /empty segment/],
  ["a\\b", /backslash/],
  ["..\\b", /backslash/],
  ["a\0b", /control/],
  ["a\nb", /control/],
  ["a\u001b[31m", /control/],
  ["a\u202eb", /invisible/],
  ["a\u200bb", /invisible/],
  ["a.", /dot or space/],
  ["a ", /dot or space/],
  ["a./b", /dot or space/],
  ["a\ud800", /Unicode/],
  ["é".repeat(128), /longer than 255/],
  [`${"a/".repeat(128)}b`, /longer than 255/],
  ["n".repeat(101), /over 100 bytes/],
  [`${"p".repeat(156)}/a`, /over 155 bytes/],
];
for (const [path, reason] of badPaths) {
  test(`the path ${JSON.stringify(path.slice(0, 40))} is refused`, () => {
    assert.throws(() => buildBundle(sampleFiles({ [path]: "x" })), withCode("CS_VALIDATION_FAILED", reason));
  });
}

const conflicts: [string, string, RegExp][] = [
  ["lib/a.js", "lib/A.js", /differ only/],
  ["straße.js", "STRASSE.js", /differ only/],
  ["caf\u00e9", "cafe\u0301", /differ only/],
  ["lib", "lib/a.js", /file and a folder/],
  ["LIB", "lib/sub/a.js", /file and a folder/],
];
for (const [one, other, reason] of conflicts) {
  test(`${one} beside ${other} is refused`, () => {
    const files = sampleFiles({ [one]: "1", [other]: "2" });
    assert.throws(() => buildBundle(files), withCode("CS_VALIDATION_FAILED", reason));
  });
}

test("a thousand files pass, one more is refused", () => {
  const files = sampleFiles();
  while (files.size < LIMITS.bundleFilesMax) files.set(`f${files.size}`, new Uint8Array(0));
  assert.equal(buildBundle(files).tar.length, 1000 * 512 + 2 * 512 + 2 * 512);
  files.set("more", new Uint8Array(0));
  assert.throws(() => buildBundle(files), withCode("CS_VALIDATION_FAILED", /at most 1000 files/));
});

test("a tar of exactly 16 MiB passes, one block more is refused", () => {
  const room = LIMITS.bundleBytesMax - buildBundle(sampleFiles()).tar.length - 512;
  const files = sampleFiles();
  files.set("big.bin", new Uint8Array(room));
  assert.equal(buildBundle(files).tar.length, LIMITS.bundleBytesMax);
  files.set("big.bin", new Uint8Array(room + 1));
  assert.throws(() => buildBundle(files), withCode("CS_VALIDATION_BUNDLE_TOO_LARGE"));
});
