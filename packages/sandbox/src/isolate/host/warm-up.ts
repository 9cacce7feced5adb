import { WARM_UP_CONTEXT_JSON, WARM_UP_EVENT_JSON, WARM_UP_MODULE } from "@sous/guest";
import type ivm from "isolated-vm";
import { Place, type PlaceMaker } from "./place.ts";

const MEMORY_MB = 64;
const TIMEOUT_MS = 5000;
const WARM_UP_CALL = {
  contextJson: WARM_UP_CONTEXT_JSON,
  sharedContextJson: "{}",
  eventJson: WARM_UP_EVENT_JSON,
};

/**
 * Uses the guest once in an isolate of its own that is thrown away, and keeps V8's cache of what was used for
 * every place made later. No user code ever runs in that isolate.
 */
export function warmUp(maker: PlaceMaker): void {
  const place = new Place(maker, MEMORY_MB);
  const module = place.isolate.compileModuleSync(WARM_UP_MODULE, { filename: "sous:warm-up" });
  module.instantiateSync(place.context, () => {
    throw new TypeError("the warm-up imports nothing");
  });
  module.evaluateSync({ timeout: TIMEOUT_MS });
  for (const handler of ["handle", "default"]) {
    place.adopt(module.namespace as ivm.Reference, handler, TIMEOUT_MS);
    place.start(WARM_UP_CALL, TIMEOUT_MS);
    // `handle` waits for one timer; nobody is there to fire it but us.
    place.fire(1, TIMEOUT_MS);
  }
  for (const code of [maker.core, ...maker.parts.values()]) code.remember(place.isolate);
  place.dispose();
}
