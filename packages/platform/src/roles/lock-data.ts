import { DatabaseSync } from "node:sqlite";
import { PlatformError } from "@sous/contract";

/**
 * Takes the embedded store for this process alone: two that replay one journal would run its work twice.
 * The lock is the operating system's, on a file beside the database, so that it ends with the process however
 * that ends.
 * @param path of the database
 * @throws CS_CONFLICT while another process has it
 */
export function lockData(path: string): Disposable {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec("pragma locking_mode = exclusive; begin exclusive");
  } catch (cause) {
    lock.close();
    const message = `${path} is in use by another process of the platform; stop that one, or choose another data folder`;
    throw new PlatformError("CS_CONFLICT", message, { cause });
  }
  return { [Symbol.dispose]: () => lock.close() };
}
