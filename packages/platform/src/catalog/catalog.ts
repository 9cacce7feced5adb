import type { RefTarget, VersionRecord } from "@sous/contract";
import type { FunctionKey } from "@sous/store";

/**
 * Resolves references to versions, from memory where it can: an entry is never older than
 * `LIMITS.aliasCacheTtlMs`, except while the store is down, when what is cached goes on being served.
 */
export interface Catalog {
  /**
   * @param target `undefined` for the newest version
   * @returns the version, at once when it is cached
   * @throws CS_NOT_FOUND for a missing or deleted function, alias or version
   */
  resolve(key: FunctionKey, target: RefTarget | undefined): VersionRecord | Promise<VersionRecord>;
  /** Forgets what is cached of a function; call it after every change to it. */
  invalidate(key: FunctionKey): void;
}
