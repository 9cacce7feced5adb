import assert from "node:assert/strict";
import test from "node:test";
import { createAddressJudge, isPublicAddress } from "./address-judge.ts";

const PRIVATE = `
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254
168.63.129.16 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1
192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1
::ffff:0:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:0:1::1
2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
2606:4700::5efe:7f00:1 2606:4700::200:5efe:7f00:1 fe80::1%lo 2606:4700::1%1 4000::1`;
const PUBLIC = `
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.216.34 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1
172.15.255.255 172.32.0.0 192.169.0.1 223.255.255.255 2606:4700:4700::1111 2a00:1450::1 2001:4860::8888
::ffff:8.8.8.8 64:ff9b::8.8.8.8`;
const OTHER = [
  "",
  "localhost",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "1.1.1.1 ",
  "[::1]",
  "1.1.1.1:80",
];
const list = (text: string) => text.trim().split(/\s+/);

for (const address of [...list(PRIVATE), ...OTHER]) {
  test(`${JSON.stringify(address)} is not public`, () => assert.equal(isPublicAddress(address), false));
}
for (const address of list(PUBLIC)) {
  test(`${address} is public`, () => assert.equal(isPublicAddress(address), true));
}

test("an operator may open private ranges and close public ones", () => {
  const judge = createAddressJudge({
    privateAllow: ["127.0.0.0/8", "fd00::/8"],
    deny: ["93.184.0.0/16", "2a00::/16"],
    ownAddresses: () => ["8.8.4.4", "2606:4700::5", "fe80::1%eth0", "127.0.0.1"],
  });
  assert.equal(judge.judge("127.0.0.1", 8080), undefined);
  assert.equal(judge.judge("::ffff:127.0.0.1", 8080), undefined);
  assert.equal(judge.judge("fd12::1", 1), undefined);
  for (const address of [
    "10.0.0.1",
    "93.184.216.34",
    "2a00::1",
    "8.8.4.4",
    "2606:4700:0::5",
    "::ffff:8.8.4.4",
  ]) {
    assert.equal(judge.judge(address, 443), "private", address);
  }
  assert.equal(judge.judge("1.1.1.1", 443), undefined);
  assert.equal(judge.judge("1.1.1.1", 22), "port");
});

test("a range that is none is refused with how to write one", () => {
  assert.throws(() => createAddressJudge({ privateAllow: ["127.0.0.1"] }), /write it like 10\.0\.0\.0\/8/);
});
