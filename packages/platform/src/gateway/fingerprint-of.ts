import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError, TOPICS } from "@sous/contract";
import type { Store } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";

/** How often whoever finds neither message nor record looks again, in milliseconds, and how many times. */
const LOOK_MS = 100;
const LOOKS_MAX = 20;

/**
 * Of work that another process has queued a moment ago: its message is there before its record is.
 * @returns what tells its request from another one with the same key
 * @throws CS_CODEQ_PUBLISH_FAILED where neither is found
 */
export async function fingerprintOf(
  { codeq, store }: { codeq: Pick<InvocationCodeQ, "lookup">; store: Pick<Store, "activations"> },
  tenant: string,
  id: string,
): Promise<string | undefined> {
  for (let looked = 0; looked < LOOKS_MAX; looked++) {
    if (looked > 0) await sleep(LOOK_MS);
    const message = await codeq.lookup?.find(TOPICS.invoke, tenant, id);
    if (message !== undefined) return message.body.fingerprint;
    const record = await store.activations.get(tenant, id);
    if (record !== undefined) return record.fingerprint;
  }
  const text = "a call with this key was queued elsewhere, and what it asked for is not known yet; try again";
  throw new PlatformError("CS_CODEQ_PUBLISH_FAILED", text);
}
