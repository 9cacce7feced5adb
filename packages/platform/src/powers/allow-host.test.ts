import assert from "node:assert/strict";
import test from "node:test";
import { createHostMatcher } from "./allow-host.ts";

const hostOf = (url: string) => new URL(url).hostname;

const cases: [string[], string, boolean][] = [
  [["api.example.com"], "https://api.example.com/", true],
  [["API.Example.com."], "https://api.example.COM./", true],
  [["api.example.com"], "https://example.com/", false],
  [["api.example.com"], "https://xapi.example.com/", false],
  [["api.example.com"], "https://api.example.com.evil.com/", false],
  [["api.example.com"], "https://api.example.com@evil.com/", false],
  [["*.example.com"], "https://a.example.com/", true],
  [["*.example.com"], "https://a.b.example.com/", true],
  [["*.example.com"], "https://example.com/", false],
  [["*.example.com"], "https://evilexample.com/", false],
  [["*.example.com"], "https://a.example.com.evil.com/", false],
  [["*.0.0.1"], "https://127.0.0.1/", false],
  [["*"], "https://example.com/", false],
  [["*."], "https://example.com/", false],
  [["[2606:4700:0:0::1]"], "https://[2606:4700::1]/", true],
  [["[2606:4700::1]"], "https://[2606:4700::2]/", false],
  [["1.1.1.1"], "https://0x01010101/", true],
  [["münchen.example"], "https://xn--mnchen-3ya.example/", true],
  [["example.com/path"], "https://example.com/", false],
  [["user@example.com"], "https://example.com/", false],
  [[], "https://example.com/", false],
];
for (const [patterns, url, expected] of cases) {
  test(`[${patterns.join()}] ${expected ? "covers" : "does not cover"} ${url}`, () => {
    assert.equal(createHostMatcher(patterns)(hostOf(url)), expected);
  });
}
