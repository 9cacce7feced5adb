import assert from "node:assert/strict";
import test from "node:test";
import { argumentsOf } from "./activity-event.ts";

const read = (text: string) => argumentsOf(Buffer.from(text));

test("arguments are JSON values one after the other, as each client writes them", () => {
  assert.deepEqual(read(""), []);
  assert.deepEqual(read('{"a":1}\n"two"\n3\nnull\n'), [{ a: 1 }, "two", 3, null], "Go");
  assert.deepEqual(
    read('{"a":"} ] \\" {"} [1,[2,{}]] true'),
    [{ a: '} ] " {' }, [1, [2, {}]], true],
    "Python",
  );
  assert.deepEqual(read('["a",{"b":2}]'), [["a", { b: 2 }]], "Java");
  assert.deepEqual(read('"a""b"[1]{"c":3}'), ["a", "b", [1], { c: 3 }], "values that need no space between");
});

test("bytes that are something else have no arguments", () => {
  for (const text of ["{", '"open', "nothing", "{} }", "1,2", "\\", "[1}"]) {
    assert.equal(read(text), undefined, text);
  }
  assert.equal(argumentsOf(Buffer.of(0xff, 0xfe)), undefined);
  assert.equal(read("1 ".repeat(1001)), undefined, "more values than are told apart");
});

test("long inputs are read in one pass", () => {
  const nested = `${"[".repeat(3000)}${"]".repeat(3000)}`;
  assert.equal(read(nested)?.length, 1);
  const begun = performance.now();
  assert.equal(read(`"${"x".repeat(2_000_000)}`), undefined);
  assert.equal(read(" ".repeat(2_000_000))?.length, 0);
  assert.ok(performance.now() - begun < 1000);
});
