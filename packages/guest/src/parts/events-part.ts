import type { PartContext, PartExports } from "../part-context.ts";
import { createAbort } from "./abort.ts";
import { DOMException } from "./dom-exception.ts";
import { CustomEvent, Event } from "./event.ts";
import { EventTarget, setListenerErrorReport } from "./event-target.ts";

/** Events, abort signals and the error class of the web platform. */
export function createPart(context: PartContext): PartExports {
  setListenerErrorReport(context.crash);
  const abort = createAbort(context.startBackgroundTimer);
  return { ...abort, CustomEvent, DOMException, Event, EventTarget };
}
