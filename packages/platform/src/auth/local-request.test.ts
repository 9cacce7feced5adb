import assert from "node:assert/strict";
import test from "node:test";
import { isLocalRequest } from "./local-request.ts";

const from = (host: string | undefined, origin?: string, fetchSite?: string) =>
  isLocalRequest({ host, origin, fetchSite });

test("loopback hosts pass, with any port", () => {
  for (const host of [
    "localhost",
    "localhost:8080",
    "LOCALHOST:1",
    "127.0.0.1:8080",
    "127.8.9.1",
    "[::1]:8080",
    "[::1]",
    "app.localhost:80",
  ]) {
    assert.ok(from(host), host);
  }
});

test("a name that was rebound to loopback is refused by its host", () => {
  for (const host of [
    undefined,
    "",
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1:80:80",
    "0.0.0.0",
    "[::ffff:1.2.3.4]",
    "xlocalhost",
    "localhost@evil.example",
    "10.0.0.1",
  ]) {
    assert.ok(!from(host), String(host));
  }
});

test("a page of another site is refused by its origin, whatever the host", () => {
  assert.ok(from("localhost:8080", "http://localhost:8080"));
  assert.ok(from("localhost:8080", "http://127.0.0.1:5173"));
  for (const origin of [
    "null",
    "",
    "https://evil.example",
    "http://localhost.evil.example",
    "http://localhost:80@evil.example",
    "file://",
    "http://",
    "http://localhost/evil.example",
  ]) {
    assert.ok(!from("localhost:8080", origin), origin);
  }
});

test("a cross-site navigation without an origin is refused", () => {
  assert.ok(!from("localhost:8080", undefined, "cross-site"));
  for (const site of ["none", "same-origin", "same-site"])
    assert.ok(from("localhost:8080", undefined, site), site);
});
