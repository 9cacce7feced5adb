import { type ActivationRecord, isTerminal } from "@sous/contract";
import type { Delivery } from "@sous/codeq";
import type { LiveActivation } from "../activations/live-activation.ts";

/**
 * An earlier attempt outlived its lease and still runs here. Nothing else holds the work any more, so the delivery that
 * came for it is kept until that attempt has ended, and tried where that was not the end of it.
 * @param release gives back the room the delivery takes
 */
export function waitForEarlier(
  earlier: LiveActivation,
  delivery: Delivery<unknown>,
  release: () => void,
): void {
  const settle = (record: ActivationRecord | undefined): void => {
    release();
    const isOver = record !== undefined && isTerminal(record.status);
    (isOver ? delivery.ack() : delivery.release()).catch(() => {});
  };
  if (earlier.closed) settle(earlier.ended);
  else
    earlier.follow(Infinity, (event) => {
      if (event.type === "end") settle(event.record);
    });
}
