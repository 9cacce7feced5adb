import { boundary } from "./boundary.js";
import { memory } from "./memory.js";
import { results } from "./results.js";
import { time } from "./time.js";

const KINDS = { ...time, ...memory, ...results, ...boundary };

/** Misbehaves in the way the event's `kind` names. Whatever it does, the platform and its neighbours go on. */
export default async function handle(event, ctx) {
  const kind = event?.kind;
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
    return { statusCode: 400, body: `kind must be one of ${Object.keys(KINDS).join(", ")}` };
  }
  return await KINDS[kind](event, ctx);
}
