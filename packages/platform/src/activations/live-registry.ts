import type { LiveActivation } from "./live-activation.ts";
import type { LiveActivations } from "./live-activations.ts";

/** The registry of live activations: the invoker fills it, everybody else reads it. */
export class LiveRegistry implements LiveActivations {
  readonly #live = new Map<string, LiveActivation>();
  #cancel: (activation: LiveActivation) => void = () => {};

  /** Says how an activation is ended early. */
  onCancel(cancel: (activation: LiveActivation) => void): void {
    this.#cancel = cancel;
  }

  add(activation: LiveActivation): void {
    this.#live.set(activation.invocation.activation_id, activation);
  }

  remove(activation: LiveActivation): void {
    const id = activation.invocation.activation_id;
    if (this.#live.get(id) === activation) this.#live.delete(id);
  }

  find(tenant: string, activationId: string): LiveActivation | undefined {
    const activation = this.#live.get(activationId);
    return activation?.invocation.tenant === tenant ? activation : undefined;
  }

  get(tenant: string, activationId: string): ReturnType<LiveActivations["get"]> {
    const activation = this.find(tenant, activationId);
    return activation?.closed === true ? activation.ended : activation?.record();
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
