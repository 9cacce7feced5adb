import { randomUUID } from "node:crypto";
import { PlatformError } from "@sous/contract";
import type { Role } from "../config/role.ts";
import type { FunctionKey, ResourceStore, StoredResource } from "@sous/store";
import { openSecretKeys, type SecretKeys } from "../secrets/secret-keys.ts";
import type { Core } from "./open-core.ts";
import type { ProcessContext } from "./process-context.ts";

/** The record by which a store and the processes that work on it know one another. */
export const PLATFORM_KIND = "platform";
const KEY: FunctionKey = { tenant: "t_cluster", namespace: "platform", name: "identity" };
/** Ids of keys that are remembered; past it the oldest go. */
const KEY_IDS_MAX = 32;
const TRIES_MAX = 20;

interface Identity {
  schema: "cs.platform.v1";
  /** Drawn when the store was used first. */
  id: string;
  /** Keys of secrets that its processes have or had, the oldest first. */
  key_ids: string[];
}

export interface IdentityOptions {
  resources: Pick<ResourceStore, "get" | "create" | "replace">;
  /** The queue that is shared with others. */
  codeq: { belongTo?(platform: string): Promise<void> };
  /** Keys of secrets, for a process that needs one in common with the others. */
  keys: SecretKeys | undefined;
}

/**
 * Checks that this process works with the others of its store: on the queue that belongs to it, and with a key of secrets that
 * they have. The first process says what these are. A store that cannot say is no reason not to start.
 * @throws CS_CONFLICT for the queue of another store, CS_VALIDATION_FAILED for another key, CS_CODEQ_PUBLISH_FAILED
 */
export async function checkIdentity(
  { config, roles, onFault }: Pick<ProcessContext, "config" | "roles" | "onFault">,
  { store, codeq }: Pick<Core, "store" | "codeq">,
): Promise<void> {
  const needsKey = ["control", "invoker", "event-sources"].some((role) => roles.has(role as Role));
  const isGiven = needsKey && config.secrets_key.length > 0;
  const keys = isGiven ? openSecretKeys({ configured: config.secrets_key, folder: config.data }) : undefined;
  try {
    await agree({ resources: store.resources, codeq, keys });
  } catch (error) {
    if (!(error instanceof PlatformError) || !error.code.startsWith("CS_STORE_")) throw error;
    onFault(error);
  }
}

/** As `checkIdentity`, with what a process has of store, queue and keys. @throws also what the store throws */
export async function agree({ resources, codeq, keys }: IdentityOptions): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const stored = await resources.get(PLATFORM_KIND, KEY);
    const identity = stored === undefined ? newIdentity() : read(stored);
    const known = keys === undefined || identity.key_ids.some((id) => keys.find(id) !== undefined);
    if (!known && identity.key_ids.length > 0) throw otherKey(identity.key_ids);
    if (stored !== undefined) await codeq.belongTo?.(identity.id);
    const current = keys?.current().id;
    if (stored !== undefined && (current === undefined || identity.key_ids.includes(current))) return;
    if (current !== undefined) identity.key_ids = [...identity.key_ids, current].slice(-KEY_IDS_MAX);
    await write(resources, identity, stored);
    // Read again: another process may have been quicker.
  }
  throw new PlatformError(
    "CS_STORE_WRITE_FAILED",
    `the platform's record in the store was changed by others in each of ${TRIES_MAX} tries; which queue and keys belong to it is not checked`,
  );
}

const newIdentity = (): Identity => ({ schema: "cs.platform.v1", id: `p-${randomUUID()}`, key_ids: [] });

const read = ({ record_json }: StoredResource): Identity => JSON.parse(record_json) as Identity;

async function write(
  resources: IdentityOptions["resources"],
  identity: Identity,
  before: StoredResource | undefined,
): Promise<void> {
  const text = JSON.stringify(identity);
  if (before !== undefined) {
    await resources.replace(PLATFORM_KIND, KEY, before.generation, text);
    return;
  }
  try {
    await resources.create(PLATFORM_KIND, KEY, text, 1);
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== "CS_CONFLICT") throw error;
  }
}

const otherKey = (ids: readonly string[]): PlatformError =>
  new PlatformError(
    "CS_VALIDATION_FAILED",
    `setting secrets_key is none of the keys that the other processes of this store have (${ids.join(", ")}): give all of them the same SOUS_SECRETS_KEY`,
    { details: { key: "secrets_key" } },
  );
