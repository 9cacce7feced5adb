/** The blob's own bytes, for who does not change them. */
export let bytesOfBlob: (blob: Blob) => Uint8Array;

/** Bytes with a type. @see https://w3c.github.io/FileAPI/#blob-section */
export class Blob {
  readonly type: string;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  static {
    bytesOfBlob = (blob) => blob.#bytes;
  }

  constructor(parts: Iterable<unknown> = [], options: { type?: string } = {}) {
    const pieces = [...parts].map(pieceOf);
    this.#bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      this.#bytes.set(piece, at);
      at += piece.length;
    }
    const type = `${options.type ?? ""}`;
    this.type = /^[\x20-\x7e]*$/u.test(type) ? type.toLowerCase() : "";
  }

  get size(): number {
    return this.#bytes.length;
  }
  slice(start = 0, end: number = this.size, type = ""): Blob {
    return new Blob([this.#bytes.subarray(start, end)], { type });
  }
  async text(): Promise<string> {
    return new TextDecoder().decode(this.#bytes);
  }
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes.slice();
  }
  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer;
  }
  stream(): ReadableStream<Uint8Array> {
    const bytes = this.#bytes;
    return new ReadableStream<Uint8Array>({
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes.slice());
        controller.close();
      },
    });
  }
  get [Symbol.toStringTag](): string {
    return "Blob";
  }
}

function pieceOf(part: unknown): Uint8Array {
  if (part instanceof Blob) return bytesOfBlob(part);
  if (ArrayBuffer.isView(part)) return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  if (part instanceof ArrayBuffer) return new Uint8Array(part);
  return new TextEncoder().encode(`${part as string}`.toWellFormed());
}
