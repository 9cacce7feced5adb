import assert from "node:assert/strict";
import test from "node:test";
import { createRedactStream, createSecretMatcher } from "./redact-stream.ts";

const SECRET = 'sk-live/abc 123+XYZ"é';

function redact(secrets: string[], text: string, size: number): string {
  const stream = createRedactStream(createSecretMatcher(secrets));
  let out = "";
  for (let at = 0; at < text.length; at += size) out += stream.push(text.slice(at, at + size));
  return out + stream.end();
}

const bytes = Buffer.from(SECRET);
const latin1 = Buffer.from(SECRET, "latin1");
const spellings: [string, string][] = [
  ["as it is", SECRET],
  ["URL-encoded", encodeURIComponent(SECRET)],
  [
    "URL-encoded in small letters",
    encodeURIComponent(SECRET).replaceAll(/%../g, (code) => code.toLowerCase()),
  ],
  ["inside JSON", JSON.stringify({ key: SECRET }).slice(8, -2)],
  ["hexadecimal", bytes.toString("hex")],
  ["HEXADECIMAL", bytes.toString("hex").toUpperCase()],
  ["hexadecimal, as Latin-1", latin1.toString("hex")],
];
for (const [name, spelling] of spellings) {
  test(`a secret ${name} is redacted wherever the pieces are cut`, () => {
    for (const size of [1, 2, 3, 7, 16, 1000]) {
      assert.equal(redact([SECRET], `before ${spelling} after`, size), "before [redacted] after");
    }
  });
}

test("a secret in base64 cannot be read back, whatever stands around it", () => {
  for (const encoding of ["base64", "base64url"] as const) {
    for (const before of ["", "a", "ab", "abc", "user:"]) {
      for (const after of ["", "z", "zz", "zzz"]) {
        const text = Buffer.from(before + SECRET + after).toString(encoding);
        for (const size of [1, 5, 1000]) {
          const out = redact([SECRET], text, size);
          assert.match(out, /\[redacted\]/);
          const rest = out.replaceAll("[redacted]", "");
          assert.ok(rest.length <= 16, `${rest} of ${text} is left`);
        }
      }
    }
  }
});

test("a secret of Latin-1 characters cannot be read back from what btoa makes of it", () => {
  for (const secret of ['s3cr3t/välue+"x', "þÿþÿþÿþ", "ü".repeat(300)]) {
    for (const before of ["", "a", "ab", "abc", "user:"]) {
      for (const after of ["", "z", "zz", "zzz"]) {
        const padded = btoa(before + secret + after);
        const bare = padded.replaceAll("=", "");
        for (const text of [padded, bare, bare.replaceAll("+", "-").replaceAll("/", "_")]) {
          const out = redact([secret], text, 5);
          assert.match(out, /\[redacted\]/);
          const rest = out.replaceAll("[redacted]", "");
          assert.ok(rest.length <= 16, `${rest} of ${text} is left`);
        }
      }
    }
  }
});

test("a secret with wider characters has no Latin-1 spelling", () => {
  const text = Buffer.from("secret-漢-value", "latin1").toString("base64");
  assert.equal(redact(["secret-漢-value"], text, 1000), text);
});

test("text without a secret comes through unchanged, near misses too", () => {
  const text = "sk-liv sk-live/ab sk-live/abc 12 sk-sk-live";
  for (const size of [1, 3, 1000]) assert.equal(redact([SECRET], text, size), text);
});

test("the longer of two secrets with one beginning is redacted whole", () => {
  for (const size of [1, 2, 5, 100]) {
    assert.equal(
      redact(["abcdef", "abcdefghi"], "1 abcdefghi 2 abcdefg 3", size),
      "1 [redacted] 2 [redacted]g 3",
    );
  }
});

test("overlapping secrets leave nothing of either", () => {
  for (const size of [1, 4, 100]) {
    assert.equal(redact(["ABCDEF", "DEFGHI", "GHIJKL"], "xABCDEFGHIJKLy", size), "x[redacted]y");
    assert.equal(redact(["ABCDEF"], "ABCDEFABCDEF", size).replaceAll("[redacted]", ""), "");
  }
});

test("a stream that never ends in anything but the secret stays small", () => {
  const stream = createRedactStream(createSecretMatcher(["aaaaaa"]));
  let shown = "";
  for (let round = 0; round < 10_000; round += 1) shown += stream.push("aaa");
  assert.ok(shown.length <= 20, `${shown.length} characters`);
  assert.equal((shown + stream.end()).replaceAll("[redacted]", ""), "");
});

test("what is held back is given out at the end", () => {
  const stream = createRedactStream(createSecretMatcher(["abcdefgh"]));
  assert.equal(stream.push("x abcdefg"), "x ");
  assert.equal(stream.end(), "abcdefg");
  assert.equal(stream.push("!"), "!");
});

test("short secrets are let be, and no secrets cost nothing", () => {
  assert.equal(redact(["short", ""], "a short text", 3), "a short text");
  const stream = createRedactStream(createSecretMatcher([]));
  assert.equal(stream.push("anything"), "anything");
});

test("redaction agrees with a search over the whole text", () => {
  let seed = 3;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const letters = (length: number) => Array.from({ length }, () => "ab"[random(2)]).join("");
  for (let round = 0; round < 300; round += 1) {
    const secrets = [letters(6 + random(3)), letters(6 + random(5))];
    const text = letters(60);
    const covered = new Set<number>();
    for (const secret of secrets) {
      for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
        for (let index = at; index < at + secret.length; index += 1) covered.add(index);
      }
    }
    const rest = Array.from(text)
      .filter((_, index) => !covered.has(index))
      .join("");
    for (const size of [1, 4, 60]) {
      assert.equal(
        redact(secrets, text, size).replaceAll("[redacted]", ""),
        rest,
        `${secrets.join()} in ${text}`,
      );
    }
  }
});
