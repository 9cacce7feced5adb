/** The first whole answer of a connection. */
export interface Answer {
  status: number;
  /** Lower-case names; of several values the last. */
  headers: ReadonlyMap<string, string>;
  body: Buffer;
  /** Whether it can have no body: to `HEAD`, 204 and 304. */
  bodyless: boolean;
}

/** @returns the first answer that is no interim one, once all of it is there */
export function parseAnswer(bytes: Buffer, head: boolean): Answer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  const rest = bytes.subarray(end + 4);
  if (status >= 100 && status < 200 && status !== 101) return parseAnswer(rest, head);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const bodyless = head || status === 204 || status === 304;
  if (bodyless) return { status, headers, body: Buffer.alloc(0), bodyless };
  if (headers.get("transfer-encoding") === "chunked") {
    const body = unchunk(rest);
    return body === undefined ? undefined : { status, headers, body, bodyless };
  }
  const length = Number(headers.get("content-length") ?? 0);
  return rest.length < length ? undefined : { status, headers, body: rest.subarray(0, length), bodyless };
}

function unchunk(bytes: Buffer): Buffer | undefined {
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (size === 0) return Buffer.concat(pieces);
    const from = line + 2;
    if (Number.isNaN(size) || from + size + 2 > bytes.length) return undefined;
    pieces.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}
