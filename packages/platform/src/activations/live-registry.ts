import type { TerminalRecord } from "@sous/store";
import type { LiveActivation } from "./live-activation.ts";
import type { LiveActivations } from "./live-activations.ts";

/** Emptied when its activation leaves, so that what an old table of the map still names holds nothing. */
interface Holder {
  activation: LiveActivation | undefined;
}

/** The registry of live activations: the invoker fills it, everybody else reads it. */
export class LiveRegistry implements LiveActivations {
  readonly #live = new Map<string, Holder>();
  /** Ends that are on their way to the disk, in the groups they are written in. */
  readonly #ends = new Set<readonly TerminalRecord[]>();
  #cancel: (activation: LiveActivation) => void = () => {};

  /** Says how an activation is ended early. */
  onCancel(cancel: (activation: LiveActivation) => void): void {
    this.#cancel = cancel;
  }

  add(activation: LiveActivation): void {
    this.#live.set(activation.invocation.activation_id, { activation });
  }

  remove(activation: LiveActivation): void {
    const id = activation.invocation.activation_id;
    const holder = this.#live.get(id);
    if (holder?.activation !== activation) return;
    holder.activation = undefined;
    this.#live.delete(id);
  }

  /** Shows a group of ends to readers until `release`; it may still grow. */
  retain(group: readonly TerminalRecord[]): void {
    this.#ends.add(group);
  }

  release(group: readonly TerminalRecord[]): void {
    this.#ends.delete(group);
  }

  find(tenant: string, activationId: string): LiveActivation | undefined {
    const activation = this.#live.get(activationId)?.activation;
    return activation?.invocation.tenant === tenant ? activation : undefined;
  }

  /** Rare, and the groups are small: looked through rather than indexed. */
  #end(tenant: string, activationId: string): TerminalRecord | undefined {
    for (const group of this.#ends) {
      const record = group.find((end) => end.activation_id === activationId);
      if (record !== undefined) return record.tenant === tenant ? record : undefined;
    }
    return undefined;
  }

  get(tenant: string, activationId: string): ReturnType<LiveActivations["get"]> {
    const activation = this.find(tenant, activationId);
    if (activation !== undefined) return activation.closed ? activation.ended : activation.record();
    return this.#end(tenant, activationId);
  }

  logs(tenant: string, activationId: string, from: number, limit: number): string[] | undefined {
    const activation = this.find(tenant, activationId);
    // What an earlier attempt wrote is in the store.
    if (activation === undefined || from < activation.logBase) return undefined;
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

  cancel(tenant: string, activationId: string): boolean {
    const activation = this.find(tenant, activationId);
    if (activation === undefined || activation.ended !== undefined) return false;
    activation.cancelRequested = true;
    this.#cancel(activation);
    return true;
  }
}
