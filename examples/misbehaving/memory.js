/** Ways to take more memory than there is. */
export const memory = {
  heap() {
    const kept = [];
    for (;;) kept.push({ numbers: new Array(1000).fill(kept.length) });
  },
  buffer() {
    const kept = [];
    for (;;) kept.push(new Uint8Array(8 * 1024 * 1024).fill(1));
  },
  resizable() {
    const kept = [];
    for (;;) {
      const buffer = new ArrayBuffer(0, { maxByteLength: 256 * 1024 * 1024 });
      buffer.resize(256 * 1024 * 1024);
      kept.push(new Uint8Array(buffer).fill(1));
    }
  },
  strings() {
    const kept = [];
    for (;;) {
      const text = "x".repeat(16 * 1024 * 1024) + kept.length;
      // Reading one character makes the engine write the whole text out.
      text.charCodeAt(text.length - 1);
      kept.push(text);
    }
  },
  recursion() {
    const deeper = (depth) => deeper(depth + 1) + 1;
    return deeper(0);
  },
};
