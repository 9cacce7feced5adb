import { PlatformError, type RekeyReply, type UnreadableSecret } from "@sous/contract";
import type { KvScope, SecretStore } from "@sous/store";
import { openSecret, sealSecret } from "./seal-secret.ts";
import type { SecretKeys } from "./secret-keys.ts";
import type { SecretPlace } from "./secret-ref.ts";

/** Secrets looked at in one step of a walk, and namespaces. */
const PAGE = 50;
/** How often a secret is tried again that is set meanwhile. */
const TRIES = 5;

export interface RekeyOptions {
  store: SecretStore;
  keys: SecretKeys;
  /** Milliseconds, of any beginning. */
  clock: () => number;
  /** How long one part of the walk may take before it gives a cursor (1,000). */
  stepMs?: number;
}

/** What one secret came to. */
type Outcome = "current" | "resealed" | "gone" | UnreadableSecret;

/**
 * Seals secrets anew with the current key, from a place on, for about a second. Each is one compare-and-set, so that it can be
 * cut off anywhere, and begun again: what is sealed with the current key already is only looked at.
 * @param cursor of the part before; absent: from the first secret of the store
 * @throws CS_VALIDATION_FAILED for a cursor of nobody's; CS_SECRET_UNAVAILABLE where there is no key; CS_STORE_…
 */
export async function rekeySecrets(options: RekeyOptions, cursor: string | undefined): Promise<RekeyReply> {
  const { store, keys, clock, stepMs = 1000 } = options;
  const endsAt = clock() + stepMs;
  const key_id = keys.current().id;
  const reply: RekeyReply = { key_id, seen: 0, resealed: 0, unreadable: [], next_cursor: null };
  const begin = readCursor(cursor);
  let after = begin.names;
  for await (const scope of scopesFrom(store, begin)) {
    do {
      const { items, next_cursor } = await store.list(scope, { limit: PAGE, cursor: after });
      const outcomes = await Promise.all(
        items.map((record) =>
          record.key_id === key_id ? "current" : reseal(options, { ...scope, name: record.name }),
        ),
      );
      count(reply, outcomes);
      after = next_cursor ?? undefined;
      if (clock() < endsAt) continue;
      reply.next_cursor = printCursor(scope, after);
      return reply;
    } while (after !== undefined);
  }
  return reply;
}

async function reseal({ store, keys }: RekeyOptions, place: SecretPlace): Promise<Outcome> {
  const { tenant, namespace, name } = place;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const found = await store.get({ tenant, namespace }, name);
    if (found === undefined) return "gone";
    if (found.record.key_id === keys.current().id) return "current";
    let value: string;
    try {
      value = openSecret(keys, place, found.sealed);
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== "CS_SECRET_UNAVAILABLE") throw error;
      return { ...place, key_id: found.record.key_id, message: error.message };
    }
    const sealed = { name, ...sealSecret(keys, place, value) };
    if (await store.reseal({ tenant, namespace }, sealed, found.sealed)) return "resealed";
  }
  throw new PlatformError("CS_CONFLICT", `secret ${name} is being set all the time; go on later`);
}

function count(reply: RekeyReply, outcomes: readonly Outcome[]): void {
  reply.seen += outcomes.length;
  for (const outcome of outcomes) {
    if (outcome === "resealed") reply.resealed++;
    else if (typeof outcome === "object") reply.unreadable.push(outcome);
  }
}

/** Namespaces after the one a cursor stands in, that one first where it has more. */
async function* scopesFrom(store: SecretStore, { scope, names }: Place): AsyncIterable<KvScope> {
  if (scope !== undefined && names !== undefined) yield scope;
  let after = scope;
  while (true) {
    const found = await store.scopes(after, PAGE);
    yield* found;
    if (found.length < PAGE) return;
    after = found.at(-1);
  }
}

/** How far a walk has come: the last namespace, and where in it where it has more. */
interface Place {
  scope: KvScope | undefined;
  names: string | undefined;
}

const printCursor = ({ tenant, namespace }: KvScope, names: string | undefined): string =>
  Buffer.from(JSON.stringify([tenant, namespace, names ?? ""])).toString("base64url");

/** @throws CS_VALIDATION_FAILED */
function readCursor(cursor: string | undefined): Place {
  if (cursor === undefined) return { scope: undefined, names: undefined };
  try {
    const parts = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown;
    if (Array.isArray(parts) && parts.length === 3 && parts.every((part) => typeof part === "string")) {
      const [tenant, namespace, names] = parts as [string, string, string];
      return { scope: { tenant, namespace }, names: names === "" ? undefined : names };
    }
  } catch {
    // Refused below.
  }
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    "cursor is not one of this walk's; start again without one",
  );
}
