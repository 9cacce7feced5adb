/**
 * Stands for the global the guest does not have, for a library that takes its getters apart when it is loaded.
 * They refuse everything, which says: this is no SharedArrayBuffer.
 */
export class SharedArrayBuffer {
  get byteLength(): number {
    throw new TypeError("there is no SharedArrayBuffer");
  }
  get growable(): boolean {
    throw new TypeError("there is no SharedArrayBuffer");
  }
}
