import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { createLogger } from "./logger.ts";

function capture() {
  const lines: string[] = [];
  const logger = createLogger({
    service: "control",
    level: "debug",
    clock: () => 1_800_000_000_000,
    destination: { write: (line: string) => void lines.push(line) },
  });
  return {
    logger,
    text: () => lines.join(""),
    last: () => JSON.parse(lines.at(-1) ?? "null") as Record<string, unknown>,
  };
}

test("a line has ts_ms, level as text, service, message and the context of its logger", () => {
  const { logger, last } = capture();
  logger.child({ request_id: "req_1", tenant: "t_default" }).warn({ activation_id: "a" }, "slow");
  assert.deepEqual(last(), {
    level: "warn",
    ts_ms: 1_800_000_000_000,
    service: "control",
    request_id: "req_1",
    tenant: "t_default",
    activation_id: "a",
    message: "slow",
  });
});

test("secrets by name are redacted wherever they are, however they are spelled", () => {
  const { logger, text, last } = capture();
  logger.info(
    {
      token: "s3cret",
      headers: { Authorization: "s3cret", "set-cookie": ["s3cret"], "X-Api-Key": "s3cret" },
      a: { b: { c: { password: "s3cret", clientSecret: { nested: "s3cret" } } } },
      list: [{ api_key: "s3cret" }],
    },
    "nested",
  );
  logger.child({ secret: "s3cret" }).info({}, "child");
  assert.doesNotMatch(text(), /s3cret/);
  logger.info({ token_id: "kept" }, "id");
  assert.equal(last()["token_id"], "kept");
});

test("credentials inside of texts are redacted", () => {
  const { logger, text } = capture();
  const token = `sous_${"0".repeat(26)}_${"s".repeat(43)}`;
  logger.info({ url: "redis://user:s3cret@host:6379", line: `Authorization: Bearer ${token}` }, "one");
  logger.info({ url: "https://tikti.example/introspect?key=s3cret&x=1" }, `made ${token}`);
  assert.doesNotMatch(text(), /s3cret|ssss/);
  assert.match(text(), /redis:\/\/user:\[redacted\]@host/);
});

test("an error is written with code, stack and causes, without its foreign fields", () => {
  const { logger, text, last } = capture();
  const inner = Object.assign(new Error("connect postgres://u:s3cret@db/x"), {
    config: { anything: "s3cret" },
  });
  logger.error({ error: new PlatformError("CS_STORE_UNAVAILABLE", "down", { cause: inner }) }, "failed");
  const error = last()["error"] as Record<string, unknown>;
  assert.equal(error["code"], "CS_STORE_UNAVAILABLE");
  assert.match(String(error["stack"]), /logger\.test/);
  assert.match(
    String((error["cause"] as Record<string, unknown>)["message"]),
    /postgres:\/\/u:\[redacted\]@db/,
  );
  assert.doesNotMatch(text(), /s3cret/);
});

test("odd values do not break a line, and silent levels cost none", () => {
  const { logger, last, text } = capture();
  const loop: Record<string, unknown> = { big: 10n, bytes: new Uint8Array(3) };
  loop["self"] = loop;
  logger.info({ loop }, "odd");
  assert.equal((last()["loop"] as Record<string, unknown>)["bytes"], "[3 bytes]");
  const before = text();
  const silent = createLogger({ service: "x", level: "silent", clock: () => 0 });
  silent.error({}, "never");
  assert.equal(text(), before);
});
