import type { ActivationRecord } from "@sous/contract";
import type { LiveActivation } from "../activations/live-activation.ts";

/**
 * An earlier attempt outlived its lease and still runs here. Nothing else holds the work any more, so the delivery that
 * came for it is kept until that attempt has ended.
 * @param next called once with what is recorded then: the end of all, or what is to be tried again
 */
export function waitForEarlier(earlier: LiveActivation, next: (record: ActivationRecord) => void): void {
  if (earlier.closed && earlier.ended !== undefined) next(earlier.ended);
  else
    earlier.follow(Infinity, (event) => {
      if (event.type === "end") next(event.record);
    });
}
