import assert from "node:assert/strict";
import test from "node:test";
import { createRandom } from "../contract/random.ts";
import { type HeapItem, IndexedHeap } from "./indexed-heap.ts";

test("members leave in order, whichever were changed or taken out before", () => {
  const random = createRandom(7);
  const heap = new IndexedHeap<HeapItem>();
  const inside = new Set<HeapItem>();
  const least = (): HeapItem | undefined =>
    [...inside].sort((a, b) => a.heapKey - b.heapKey || a.heapOrder - b.heapOrder)[0];
  for (let step = 0; step < 5000; step++) {
    const pick = [...inside][random.below(inside.size)];
    const action = random.below(4);
    if (action <= 1 || pick === undefined) {
      const item = { heapKey: random.below(50), heapOrder: step, heapIndex: -1 };
      heap.push(item);
      inside.add(item);
    } else if (action === 2) {
      heap.remove(pick);
      inside.delete(pick);
      assert.equal(pick.heapIndex, -1);
    } else {
      pick.heapKey = random.below(50);
      heap.update(pick);
    }
    if (inside.size > 60) {
      const first = heap.peek();
      assert.ok(first);
      heap.remove(first);
      inside.delete(first);
    }
    assert.equal(heap.peek(), least());
    assert.equal(heap.size, inside.size);
  }
});

test("taking out what is not inside does nothing", () => {
  const heap = new IndexedHeap<HeapItem>();
  heap.remove({ heapKey: 1, heapOrder: 0, heapIndex: -1 });
  assert.equal(heap.size, 0);
});
