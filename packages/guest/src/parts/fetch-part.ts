import type { PartContext, PartExports } from "../part-context.ts";
import { Blob } from "./blob.ts";
import { setBodyPlatform } from "./body.ts";
import { createFetch } from "./fetch.ts";
import { face } from "./fetch-face.ts";
import { Headers } from "./headers.ts";
import { Request } from "./request.ts";
import { Response } from "./response.ts";

/** `fetch` and its classes, and what fetch-style handlers need. */
export function createPart(context: PartContext): PartExports {
  setBodyPlatform(context);
  return { Blob, Headers, Request, Response, face, fetch: createFetch(context) };
}
