import { IndexedHeap } from "./indexed-heap.ts";
import { IntrusiveList } from "./intrusive-list.ts";
import type { Lane, TenantLanes } from "./lanes.ts";

/**
 * Whose turn it is: tenants by virtual time (each delivery moves a tenant on by 1 / weight, the one furthest
 * behind is next), then the lanes of the tenant in rotation. A tenant that comes back starts at the present
 * virtual time: idling earns nothing.
 *
 * A lane is `active` while it has ready messages and nobody refused its first one, else `parked` or `idle`.
 * Parked lanes cost nothing until a wake-up; a wake-up for everybody only marks them as stale in O(1), and
 * `unpark` brings them back a few at a time, the longest refused of each tenant first.
 */
export class FairRotation<Body> {
  readonly #turns = new IndexedHeap<TenantLanes<Body>>();
  /** Tenants with lanes refused before the last wake-up, and those whose parked lanes were all asked since. */
  #stale = new IntrusiveList<TenantLanes<Body>>();
  #asked = new IntrusiveList<TenantLanes<Body>>();
  /** There was a wake-up while stale lanes of an earlier one were left: those asked since are stale next. */
  #swapDue = false;
  #virtualTime = 0;
  #turn = 0;
  #wakeUp = 0;

  next(): Lane<Body> | undefined {
    return this.#turns.peek()?.active.head ?? undefined;
  }

  /** Whether parked lanes wait to be asked again. */
  get hasStale(): boolean {
    return this.#stale.head !== null || (this.#swapDue && this.#asked.head !== null);
  }

  /** Lets a lane with ready messages take part, at the end of its tenant's rotation. */
  enter(lane: Lane<Body>): void {
    if (lane.place === "active") return;
    if (lane.place === "parked") this.#removeParked(lane);
    const { tenant } = lane;
    lane.place = "active";
    tenant.active.push(lane);
    if (tenant.heapIndex >= 0) return;
    tenant.heapKey = Math.max(tenant.heapKey, this.#virtualTime);
    tenant.heapOrder = ++this.#turn;
    this.#turns.push(tenant);
  }

  /** Takes out a lane that has nothing ready any more. */
  leave(lane: Lane<Body>): void {
    if (lane.place === "active") this.#removeActive(lane);
    else if (lane.place === "parked") this.#removeParked(lane);
    lane.place = "idle";
  }

  /** Charges the tenant whose lane was just served; the lane goes to the end or, when empty, out. */
  served(lane: Lane<Body>): void {
    const { tenant } = lane;
    this.#virtualTime = tenant.heapKey;
    tenant.heapKey += tenant.stride;
    tenant.heapOrder = ++this.#turn;
    if (lane.ready === 0) {
      this.leave(lane);
    } else if (tenant.active.tail !== lane) {
      tenant.active.remove(lane);
      tenant.active.push(lane);
    }
    if (tenant.heapIndex >= 0) this.#turns.update(tenant);
  }

  /** Sets a refused lane aside until it is woken. */
  park(lane: Lane<Body>): void {
    const { tenant } = lane;
    this.#removeActive(lane);
    lane.place = "parked";
    lane.refusedIn = this.#wakeUp;
    tenant.parked.push(lane);
    if (tenant.parkedIn !== null) return;
    tenant.parkedIn = this.#asked;
    this.#asked.push(tenant);
  }

  /** Marks every parked lane as worth asking again. */
  wakeAll(): void {
    this.#wakeUp++;
    if (this.#stale.head === null) this.#swap();
    else this.#swapDue = true;
  }

  /** Brings back stale lanes, tenant by tenant, in at most `limit` steps. @returns whether there was any step */
  unpark(limit: number): boolean {
    for (let step = 0; step < limit; step++) {
      if (this.#stale.head === null && this.#swapDue) this.#swap();
      const tenant = this.#stale.head;
      const lane = tenant?.parked.head;
      if (!tenant || !lane) return step > 0;
      this.#stale.remove(tenant);
      // Lanes are parked in the order of refusal: with a fresh one in front, all of the tenant's are fresh.
      tenant.parkedIn = lane.refusedIn === this.#wakeUp ? this.#asked : this.#stale;
      tenant.parkedIn.push(tenant);
      if (tenant.parkedIn === this.#stale) this.enter(lane);
    }
    return limit > 0;
  }

  #swap(): void {
    [this.#stale, this.#asked] = [this.#asked, this.#stale];
    this.#swapDue = false;
  }

  #removeActive(lane: Lane<Body>): void {
    lane.tenant.active.remove(lane);
    if (lane.tenant.active.head === null) this.#turns.remove(lane.tenant);
  }

  #removeParked(lane: Lane<Body>): void {
    const { tenant } = lane;
    tenant.parked.remove(lane);
    if (tenant.parked.head !== null) return;
    tenant.parkedIn?.remove(tenant);
    tenant.parkedIn = null;
  }
}
