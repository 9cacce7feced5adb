import type { Store } from "../store.ts";

/** What a driver's store must be opened with for the suite: small bounds, so that tests reach them. */
export interface ContractStoreOptions {
  kvNamespaceBytesMax: number;
  activationTtlMs: number;
  secretsPerNamespaceMax: number;
  schedulesPerNamespaceMax: number;
}

/** Opens an empty store that no other test uses. */
export type OpenStore = (options: ContractStoreOptions) => Promise<{
  store: Store;
  /** Closes the store and removes what it left. */
  close: () => Promise<void>;
}>;

/** Declares one test that gets a store of its own. */
export type StoreTest = (name: string, body: (store: Store) => Promise<void>) => void;

/** The bounds every store of the suite is opened with. */
export const CONTRACT_STORE_OPTIONS: ContractStoreOptions = {
  kvNamespaceBytesMax: 1000,
  activationTtlMs: 7 * 24 * 3600 * 1000,
  secretsPerNamespaceMax: 5,
  schedulesPerNamespaceMax: 5,
};
