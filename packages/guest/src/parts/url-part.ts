import { URL as urlInterface, URLSearchParams as paramsInterface } from "whatwg-url/webidl2js-wrapper.js";
import type { PartContext, PartExports } from "../part-context.ts";
import { setIdnaSource, type Idna } from "./url-idna.ts";

/** `URL`, `URLSearchParams`. */
export function createPart(context: PartContext): PartExports {
  setIdnaSource(() => context.part("idna") as unknown as Idna);
  const holder: Record<string, unknown> = { Array, Object, Promise, String, TypeError };
  urlInterface.install(holder, ["Window"]);
  paramsInterface.install(holder, ["Window"]);
  return { URL: holder["URL"], URLSearchParams: holder["URLSearchParams"] };
}
