import type { EndedGroup } from "@sous/store";
import { EndWaiters } from "./end-waiters.ts";
import type { LiveActivation } from "./live-activation.ts";
import type { LiveActivations } from "./live-activations.ts";
import { SlotList } from "./slot-list.ts";

/** The registry of live activations: the invoker fills it, everybody else reads it. */
export class LiveRegistry implements LiveActivations {
  /** No more than an invoker runs at once: to look through them costs a rare reader less than an index costs each call. */
  readonly #live = new SlotList<LiveActivation>();
  /** Ends that are on their way to the disk, in the groups they are written in. */
  readonly #groups: EndedGroup[] = [];
  readonly #waiters = new EndWaiters();
  #cancel: (activation: LiveActivation) => void = () => {};

  /** Says how an activation is ended early. */
  onCancel(cancel: (activation: LiveActivation) => void): void {
    this.#cancel = cancel;
  }

  /** How many activations are worked on here. */
  get size(): number {
    return this.#live.size;
  }

  add(activation: LiveActivation): void {
    activation.slot = this.#live.add(activation);
  }

  remove(activation: LiveActivation): void {
    if (this.#waiters.size > 0 && activation.closed) this.#waiters.tell(activation.id);
    this.#live.delete(activation.slot, activation);
  }

  /** Shows a group of ends to readers until `release`; it may still grow. */
  retain(group: EndedGroup): void {
    this.#groups.push(group);
  }

  release(group: EndedGroup): void {
    const at = this.#groups.indexOf(group);
    if (at >= 0) this.#groups.splice(at, 1);
  }

  find(tenant: string, activationId: string): LiveActivation | undefined {
    return this.#live.find(({ id, invocation }) => id === activationId && invocation.tenant === tenant);
  }

  /** Rare, and the groups are small: looked through rather than indexed. */
  #end(tenant: string, activationId: string): ReturnType<EndedGroup["find"]> {
    for (const group of this.#groups) {
      const end = group.find(tenant, activationId);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  get(tenant: string, activationId: string): ReturnType<LiveActivations["get"]> {
    const activation = this.find(tenant, activationId);
    if (activation !== undefined) return activation.closed ? activation.ended : activation.record();
    return this.#end(tenant, activationId)?.record;
  }

  logs(tenant: string, activationId: string, from: number, limit: number): string[] | undefined {
    const activation = this.find(tenant, activationId);
    if (activation === undefined) return this.#end(tenant, activationId)?.lines.slice(from, from + limit);
    // What an earlier attempt wrote is in the store.
    if (from < activation.logBase) return undefined;
    const at = from - activation.logBase;
    return activation.logs.slice(at, at + limit);
  }

  follow(
    ...[tenant, activationId, from, listener]: Parameters<LiveActivations["follow"]>
  ): (() => void) | undefined {
    const activation = this.find(tenant, activationId);
    if (activation === undefined || activation.closed || from < activation.logBase) return undefined;
    return activation.follow(from, listener);
  }

  onEnd(activationId: string, ended: () => void): (() => void) | undefined {
    return this.#waiters.add(activationId, ended);
  }

  announceEnd(activationId: string): void {
    this.#waiters.tell(activationId);
  }

  cancel(tenant: string, activationId: string): boolean {
    const activation = this.find(tenant, activationId);
    if (activation === undefined || activation.ended !== undefined) return false;
    activation.cancelRequested = true;
    this.#cancel(activation);
    return true;
  }
}
