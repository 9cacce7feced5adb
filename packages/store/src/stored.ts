import { PlatformError } from "@sous/contract";

/** Parses JSON that the store itself wrote. @throws CS_STORE_READ_FAILED when it is damaged */
export const parseStored = <T>(json: string): T => storedOr(() => JSON.parse(json) as T);

/** Reads what the store itself wrote. @throws CS_STORE_READ_FAILED when it is damaged */
export function storedOr<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new PlatformError("CS_STORE_READ_FAILED", "A stored record is damaged; restore it from a backup", {
      cause,
    });
  }
}
