/** What a member of an {@link IntrusiveList} carries; it can be in one list at a time. */
export interface Linked<T> {
  previous: T | null;
  next: T | null;
}

/** A doubly linked list whose links live in its members: every operation is O(1) and allocates nothing. */
export class IntrusiveList<T extends Linked<T>> {
  head: T | null = null;
  tail: T | null = null;

  push(item: T): void {
    item.previous = this.tail;
    item.next = null;
    if (this.tail === null) this.head = item;
    else this.tail.next = item;
    this.tail = item;
  }

  /** Takes out a member; the caller knows that it is in this list. */
  remove(item: T): void {
    if (item.previous === null) this.head = item.next;
    else item.previous.next = item.next;
    if (item.next === null) this.tail = item.previous;
    else item.next.previous = item.previous;
    item.previous = null;
    item.next = null;
  }
}
