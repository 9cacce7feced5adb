import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import test from "node:test";
import { createClientIpReader, rateLimitKey } from "./client-ip.ts";

const request = (peer: string, forwarded?: string) =>
  ({
    socket: { remoteAddress: peer },
    headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
  }) as unknown as IncomingMessage;

test("without trusted proxies the peer is the client, whatever it claims", () => {
  const clientIp = createClientIpReader();
  assert.equal(clientIp(request("203.0.113.9", "10.0.0.1")), "203.0.113.9");
  assert.equal(clientIp(request("::ffff:203.0.113.9")), "203.0.113.9");
});

test("behind trusted proxies the last stranger counts, not what it claims", () => {
  const clientIp = createClientIpReader(["10.0.0.0/8", "::1", "2001:db8::/32"]);
  assert.equal(clientIp(request("10.1.2.3", "1.1.1.1, 203.0.113.9, 10.9.9.9")), "203.0.113.9");
  assert.equal(clientIp(request("::1", "[2606:4700::1]:443")), "2606:4700::1");
  assert.equal(clientIp(request("10.1.2.3", "198.51.100.7:5000")), "198.51.100.7");
  assert.equal(clientIp(request("10.1.2.3", "10.4.4.4")), "10.4.4.4");
  assert.equal(clientIp(request("10.1.2.3", "203.0.113.9, nonsense")), "10.1.2.3");
  assert.equal(clientIp(request("10.1.2.3")), "10.1.2.3");
  assert.equal(clientIp(request("203.0.113.9", "1.1.1.1")), "203.0.113.9");
});

test("an entry that is no range is refused at start", () => {
  assert.throws(() => createClientIpReader(["10.0.0.0/40"]), { code: "CS_VALIDATION_FAILED" });
  assert.throws(() => createClientIpReader(["proxy.example"]), { code: "CS_VALIDATION_FAILED" });
});

test("IPv6 clients are limited by their /64", () => {
  assert.equal(rateLimitKey("203.0.113.9"), "203.0.113.9");
  assert.equal(rateLimitKey("2001:db8:1:2:3:4:5:6"), rateLimitKey("2001:db8:1:2::9"));
  assert.notEqual(rateLimitKey("2001:db8:1:2::9"), rateLimitKey("2001:db8:1:3::9"));
  assert.equal(rateLimitKey("unknown"), "unknown");
});
