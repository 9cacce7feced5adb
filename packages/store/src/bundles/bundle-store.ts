/**
 * A place that keeps published bundles by the SHA-256 of their bytes, apart from the store's own tables. A bundle never
 * changes, so a place needs no versions and no locks: whoever writes a hash writes the same bytes.
 *
 * A place is not trusted: it answers what lies there, and whoever asked checks the hash.
 */
export interface BundleStore extends AsyncDisposable {
  /** Where it is, for people; never with credentials. */
  readonly place: string;
  /**
   * @returns the bytes as they lie there, not checked, or `undefined`; of more than a bundle may have only as many as
   *   make that plain
   * @throws CS_BUNDLES_UNAVAILABLE when the place does not answer in time
   */
  get(sha256: string): Promise<Uint8Array | undefined>;
  /**
   * Keeps bytes under their hash, over what is there. Settles when they would outlive a crash; a reader sees all of
   * them or none.
   * @throws CS_BUNDLES_UNAVAILABLE
   */
  put(sha256: string, bytes: Uint8Array): Promise<void>;
  /**
   * Sets aside what lies under a hash, for people to look at: from here on it is not found. Nothing happens where there is
   * nothing.
   * @throws CS_BUNDLES_UNAVAILABLE
   */
  quarantine(sha256: string): Promise<void>;
  /** Every hash that is kept, each once, in no order. @throws CS_BUNDLES_UNAVAILABLE */
  list(): AsyncIterable<string>;
  /** Proves that the place answers. @throws CS_BUNDLES_UNAVAILABLE */
  check(): Promise<void>;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** @returns whether a text is a hash as bundles have it: 64 lower-case hexadecimal digits, and so also a safe name of a file */
export const isSha256 = (text: string): boolean => SHA256.test(text);
