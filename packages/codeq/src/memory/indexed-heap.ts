/** What a member of an {@link IndexedHeap} carries; it can be in one heap at a time. */
export interface HeapItem {
  /** The smallest comes first. */
  heapKey: number;
  /** Decides between equal keys, the smallest first. */
  heapOrder: number;
  /** Kept by the heap; -1 outside of one. */
  heapIndex: number;
}

const before = (a: HeapItem, b: HeapItem): boolean =>
  a.heapKey < b.heapKey || (a.heapKey === b.heapKey && a.heapOrder < b.heapOrder);

/** A binary heap that knows where its members are, so that any of them leaves in O(log n). */
export class IndexedHeap<T extends HeapItem> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Takes out a member; does nothing for an item outside of the heap. */
  remove(item: T): void {
    const index = item.heapIndex;
    if (index < 0) return;
    const last = this.#items.pop();
    item.heapIndex = -1;
    if (last === undefined || last === item) return;
    this.#items[index] = last;
    last.heapIndex = index;
    this.update(last);
  }

  /** Restores the order after a member's key changed. */
  update(item: T): void {
    this.#rise(item, item.heapIndex);
    this.#sink(item, item.heapIndex);
  }

  #rise(item: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#items[parentIndex];
      if (parent === undefined || !before(item, parent)) break;
      this.#items[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    this.#items[index] = item;
    item.heapIndex = index;
  }

  #sink(item: T, from: number): void {
    const size = this.#items.length;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= size) break;
      let child = this.#items[childIndex];
      const right = this.#items[childIndex + 1];
      if (right !== undefined && child !== undefined && before(right, child)) {
        child = right;
        childIndex++;
      }
      if (child === undefined || !before(child, item)) break;
      this.#items[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    this.#items[index] = item;
    item.heapIndex = index;
  }
}
