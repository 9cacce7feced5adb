import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Invocation, PlatformError } from "@sous/contract";
import type { JournalEntry, Store } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import { openStore } from "./open-store.ts";
import type { ProcessContext } from "./process-context.ts";

/** Lease of the process that hands a journal over. */
const LEASE = "journal";
const LEASE_MS = 10_000;
/** How often whoever finds it taken looks again, as long as a lease that nobody holds any more lasts. */
const LOOK_MS = 1000;
/** Entries on their way to the queue at once, in their order. */
const BATCH = 100;

interface Adoption {
  store: Pick<Store, "journal" | "leases">;
  codeq: Pick<InvocationCodeQ, "publish">;
}

/**
 * What was acknowledged while the queue was embedded lies in the store's journal, and a queue in a server does not read that:
 * it is published there, in its order, and leaves the journal when the server has it. One process at a time does so; what it
 * did not come to is there for the next start. A message that was handed over twice has one end all the same: it is known by
 * its id while it waits, and by its record afterwards. Dead letters stay in the journal.
 */
export async function adoptJournal(context: ProcessContext, { store, codeq }: Adoption): Promise<void> {
  const { config, limits, now, onWarning } = context;
  const entries = await store.journal.load();
  const dead = entries.filter((entry) => entry.dead).length;
  if (dead > 0) {
    onWarning(
      `${dead} dead letters of an embedded queue lie in this store; one with codeq memory: lists them`,
    );
  }
  if (dead === entries.length) return;
  if (!/^postgres(ql)?:/.test(config.store)) {
    await handOver(context, { store, codeq });
    return;
  }
  try {
    // A platform whose queue is embedded may still be at work on the database: then its journal stays its own.
    const sole = await openStore({ url: config.store, limits, now, holdsQueue: true });
    await using own = sole.store;
    await handOver(context, { store: own, codeq });
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== "CS_CONFLICT") throw error;
    onWarning("calls wait in the journal of this store, and a process with an embedded queue works on it");
  }
}

async function handOver(context: ProcessContext, { store, codeq }: Adoption): Promise<void> {
  const { now, logger } = context;
  const epoch = await taken(context, store);
  if (epoch === undefined) return;
  try {
    const waiting = (await store.journal.load()).filter((entry) => !entry.dead);
    let published = 0;
    for (let from = 0; from < waiting.length; from += BATCH) {
      if (!(await store.leases.renew(LEASE, epoch, now() + LEASE_MS))) break;
      published += await publish(context, { store, codeq }, waiting.slice(from, from + BATCH));
    }
    logger.info({ published }, "what waited in the journal of an embedded queue was handed to the queue");
  } finally {
    // Where it cannot be given back it runs out.
    await store.leases.release(LEASE, epoch).catch(() => {});
  }
}

/** @returns the epoch of the lease; `undefined` where another process has handed everything over, or is at it */
async function taken(
  { now }: ProcessContext,
  { leases, journal }: Adoption["store"],
): Promise<number | undefined> {
  const holder = randomUUID();
  for (const untilMs = now() + LEASE_MS + LOOK_MS; ;) {
    const epoch = await leases.acquire(LEASE, holder, now(), now() + LEASE_MS);
    if (epoch !== undefined || now() >= untilMs) return epoch;
    await sleep(LOOK_MS);
    if ((await journal.load()).every((entry) => entry.dead)) return undefined;
  }
}

/** @returns how many the queue has taken; what it refuses is reported, and stays in the journal */
async function publish(
  { onFault }: ProcessContext,
  { store, codeq }: Adoption,
  entries: readonly JournalEntry[],
): Promise<number> {
  const taken = await Promise.allSettled(
    entries.map(async ({ body_json, dead: _dead, dead_reason: _reason, ...message }) => {
      const body = JSON.parse(body_json) as Invocation;
      await codeq.publish({ ...message, body }, { depthMax: Number.MAX_SAFE_INTEGER, durable: true });
      await store.journal.remove(message.id);
    }),
  );
  for (const one of taken) if (one.status === "rejected") onFault(one.reason);
  return taken.filter((one) => one.status === "fulfilled").length;
}
