import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { pack, type Header } from "tar-stream";
import { buildBundle } from "./build-bundle.ts";
import { sampleFiles, withCode } from "./bundle-samples.fixture.ts";
import { readBundle } from "./read-bundle.ts";

const refused = (reason: RegExp) => withCode("CS_RUNTIME_BUNDLE_INVALID", reason);

async function tarOf(entries: Partial<Header>[]): Promise<Uint8Array> {
  const packer = pack();
  const fixed = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) };
  for (const header of entries)
    packer.entry({ ...fixed, ...header } as Header, Buffer.from(header.type === undefined ? "x" : ""));
  packer.finalize();
  return buffer(packer);
}

test("what was packed is read back", () => {
  const files = sampleFiles({ "lib/a.js": "x".repeat(512), empty: "", [`${"d".repeat(120)}/é.js`]: "1" });
  const { tar, sha256 } = buildBundle(files);
  const contents = readBundle(tar, sha256);
  assert.deepEqual([...contents.files.keys()], [...files.keys()].sort());
  for (const [path, bytes] of files)
    assert.deepEqual(Buffer.from(contents.files.get(path) ?? []), Buffer.from(bytes));
  assert.equal(contents.manifest.handler, "default");
});

test("another hash is refused", () => {
  const { tar, sha256 } = buildBundle(sampleFiles());
  assert.throws(
    () =>
      readBundle(
        tar,
        sha256.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
      ),
    refused(/hash/),
  );
});

const foreign: [string, Partial<Header>[], RegExp][] = [
  ["a symbolic link", [{ name: "a", type: "symlink", linkname: "/etc/passwd" }], /not canonical/],
  ["a hard link", [{ name: "a", type: "link", linkname: "b" }], /not canonical/],
  ["a device", [{ name: "a", type: "character-device" }], /not canonical/],
  ["a fifo", [{ name: "a", type: "fifo" }], /not canonical/],
  ["a folder", [{ name: "a", type: "directory" }], /empty segment|not canonical/],
  ["a pax entry", [{ name: "é" }], /not canonical/],
  ["another mode", [{ name: "a", mode: 0o755 }], /not canonical/],
  ["another owner", [{ name: "a", uid: 1 }], /not canonical/],
  ["another time", [{ name: "a", mtime: new Date(1000) }], /not canonical/],
  ["a path outside", [{ name: "../a" }], /segment/],
  ["a name twice", [{ name: "a" }, { name: "a" }], /twice/],
  ["unsorted names", [{ name: "b" }, { name: "a" }], /out of order/],
  ["case twins", [{ name: "A" }, { name: "a" }], /differ only/],
  ["a file that is a folder", [{ name: "a" }, { name: "a/b" }], /file and a folder/],
  ["no manifest", [{ name: "a" }], /manifest\.json/],
];
for (const [name, entries, reason] of foreign) {
  test(`${name} is refused`, async () => {
    const tar = await tarOf(entries);
    assert.throws(() => readBundle(tar), refused(reason));
  });
}

const broken: [string, (tar: Uint8Array) => Uint8Array, RegExp][] = [
  ["nothing", () => new Uint8Array(0), /two empty blocks/],
  ["one block", () => new Uint8Array(512), /two empty blocks/],
  ["only the end", () => new Uint8Array(1024), /manifest/],
  ["a cut tar", (tar) => tar.subarray(0, tar.length - 1024), /./],
  ["one byte less", (tar) => tar.subarray(0, tar.length - 1), /./],
  ["more zeros", (tar) => Buffer.concat([tar, new Uint8Array(512)]), /./],
  [
    "a size of 8 GiB",
    (tar) => Buffer.concat([tar.subarray(0, 124), Buffer.from("77777777777 "), tar.subarray(136)]),
    /./,
  ],
  [
    "a base-256 size",
    (tar) => Buffer.concat([tar.subarray(0, 124), Buffer.alloc(12, 0xff), tar.subarray(136)]),
    /./,
  ],
  ["16 MiB and a byte", () => new Uint8Array(16 * 1024 * 1024 + 1), /16 MiB/],
];
for (const [name, change, reason] of broken) {
  test(`${name} is refused`, () => {
    const { tar } = buildBundle(sampleFiles());
    assert.throws(() => readBundle(change(tar)), refused(reason));
  });
}

test("no single changed byte outside a file's content gets through, and nothing but our error comes out", () => {
  const { tar } = buildBundle(sampleFiles({ "lib/a.js": "export const a = 1;" }));
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const contentAt = (at: number) => Math.floor(at / 512) % 2 === 1 && at < tar.length - 1024;
  for (let round = 0; round < 4000; round += 1) {
    const copy = tar.slice();
    const at = random(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 + random(255));
    try {
      readBundle(copy);
      assert.ok(contentAt(at), `byte ${at} was changed unnoticed`);
    } catch (error) {
      assert.ok(error instanceof PlatformError && error.code === "CS_RUNTIME_BUNDLE_INVALID", String(error));
    }
  }
});

test("random pieces of a bundle put together never do harm", () => {
  const { tar } = buildBundle(sampleFiles({ "lib/a.js": "export const a = 1;" }));
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 2000; round += 1) {
    const parts = Array.from({ length: 1 + random(8) }, () => {
      const from = random(tar.length / 512) * 512 + (random(4) === 0 ? random(512) : 0);
      return tar.subarray(from, from + random(4) * 512);
    });
    assert.throws(() => readBundle(Buffer.concat(parts)), PlatformError);
  }
});
