import { FrameError, type FrameCursor } from "./frame-reader.ts";
import { FIELD_BYTES_MAX, type GuestCaches } from "./protocol.ts";

const NAME = /^[a-z]{1,32}$/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** @throws FrameError when these are not the names and texts an honest host would send */
export function readCaches(cursor: FrameCursor): GuestCaches {
  const json = cursor.string(FIELD_BYTES_MAX.caches);
  cursor.done();
  const parsed = parse(json);
  if (typeof parsed !== "object" || parsed === null) throw new FrameError("caches are an object");
  const caches: GuestCaches = {};
  for (const [name, text] of Object.entries(parsed)) {
    if (!NAME.test(name) || typeof text !== "string" || !BASE64.test(text))
      throw new FrameError("caches are base64 by the name of a script");
    caches[name] = text;
  }
  return caches;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new FrameError("caches are JSON");
  }
}
