import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../telemetry/metrics.ts";
import { countDroppedLetters } from "./count-dropped-letters.ts";

test("dropped letters are counted by topic, and said once in a while with how many they were", async () => {
  const metrics = createMetrics();
  const said: string[] = [];
  let nowMs = 1;
  const count = countDroppedLetters({ metrics, now: () => nowMs, onWarning: (text) => said.push(text) });
  count("cs.invoke", 2);
  count("cs.invoke", 3);
  count("t_a/default/mine", 1);
  assert.deepEqual(
    said.map((text) => text.split(" ", 1)[0]),
    ["2"],
  );
  nowMs += 3_600_000;
  count("cs.deliver", 1);
  assert.deepEqual(
    said.map((text) => text.split(" ", 1)[0]),
    ["2", "5"],
  );
  const text = await metrics.text();
  assert.match(text, /^cs_dead_letters_dropped_total\{topic="cs\.invoke"\} 5$/m);
  assert.match(text, /^cs_dead_letters_dropped_total\{topic="other"\} 1$/m);
});
