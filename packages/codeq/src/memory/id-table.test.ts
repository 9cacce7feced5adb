import assert from "node:assert/strict";
import { test } from "node:test";
import { IdTable, type Identified } from "./id-table.ts";

interface Item extends Identified<Item> {
  value: number;
}

const item = (id: string, value: number): Item => ({ id, value, hash: 0, chained: undefined });

test("it answers as a Map does, through growth and shrinking, whatever the ids look like", () => {
  const table = new IdTable<Item>();
  const model = new Map<string, number>();
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return seed % below;
  };
  // Ids with one end share a bucket; the empty id is one like any other.
  const idOf = (): string =>
    ["", `x${random(40)}`, `${random(3000)}-same-end`, `id-${random(3000)}`][random(4)] ?? "";
  for (let step = 0; step < 30_000; step++) {
    const id = idOf();
    // Far more comes than goes at first, and the other way round at the end.
    if (random(10) < (step < 15_000 ? 7 : 2)) {
      table.set(item(id, step));
      model.set(id, step);
    } else {
      assert.equal(table.delete(id)?.value, model.get(id));
      model.delete(id);
    }
    assert.equal(table.size, model.size);
    const asked = idOf();
    assert.equal(table.get(asked)?.value, model.get(asked));
  }
  const left = [...table.values()].map(({ id, value }) => [id, value] as const);
  assert.deepEqual(new Map(left), model);
  assert.equal(left.length, model.size);
});

test("what is taken out names no other item", () => {
  const table = new IdTable<Item>();
  const [first, second] = [item("a-same-end", 1), item("b-same-end", 2)];
  table.set(first);
  table.set(second);
  table.delete("b-same-end");
  assert.equal(second.chained, undefined);
  assert.equal(table.get("a-same-end"), first);
});
