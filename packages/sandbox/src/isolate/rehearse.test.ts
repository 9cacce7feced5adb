import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { programOf, runOnce } from "../contract-suite.ts";
import { createIsolateDriver } from "./driver.ts";
import type { Activation } from "./host/activation.ts";
import type { Marker } from "./host/marker.ts";
import { rehearse } from "./host/rehearse.ts";
import { quietMaker } from "./quiet-maker.fixture.ts";

test("a rehearsal goes all the way to an answer, in nobody's name, and leaves no isolate behind", async () => {
  const answered: Activation[] = [];
  const holders: number[] = [];
  const places: unknown[] = [];
  const maker = await quietMaker({
    reply(activation, statusCode, headersJson, body, base64, cookiesJson) {
      answered.push(activation);
      places.push(activation.place?.isolate);
      activation.answer = { kind: "reply", statusCode, headersJson, body, base64, cookiesJson };
    },
    fail: (_activation, _type, message) => assert.fail(message),
  });
  const marker: Marker = { enter: (holder) => void holders.push(holder), leave() {}, cork() {}, uncork() {} };
  rehearse(maker, marker);
  assert.equal(answered.length, 1);
  const [activation] = answered;
  assert.match(activation?.answer?.kind === "reply" ? activation.answer.body : "", /"rawPath":"\/a"/);
  assert.deepEqual(new Set(holders), new Set([0]));
  assert.deepEqual(
    places.map((isolate) => (isolate as { isDisposed: boolean }).isDisposed),
    [true],
  );
});

test("a host that has rehearsed has no program and no activation of it", async () => {
  await using driver = await createIsolateDriver({ stems: 1, pairs: 1 });
  await driver.inspect();
  await sleep(600);
  const sandbox = await driver.create({ tenant: "t_first0" });
  assert.deepEqual([sandbox.active, sandbox.waiting, [...sandbox.warmPrograms]], [0, 0, []]);
  const { outcome } = await runOnce(sandbox, programOf("export default () => Object.keys(globalThis)"));
  assert.equal(outcome.status, "success");
  assert.equal(outcome.coldReason, "first_use");
});
