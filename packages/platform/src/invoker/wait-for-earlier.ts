import type { ActivationRecord } from "@sous/contract";
import type { LiveActivation } from "../activations/live-activation.ts";

/**
 * Waits for the end of what runs here already: the same work, delivered again, or an attempt that outlived its lease. Nothing
 * else holds the work of such an attempt, so the delivery that came for it is kept until then.
 * @param next called once with what is recorded then: the end of all, or what is to be tried again
 */
export function waitForEarlier(earlier: LiveActivation, next: (record: ActivationRecord) => void): void {
  if (earlier.closed && earlier.ended !== undefined) next(earlier.ended);
  else
    earlier.follow(Infinity, (event) => {
      if (event.type === "end") next(event.record);
    });
}
