import type { Limits } from "@sous/contract";
import type { LimitNote } from "./limit-note.ts";

const CONFIG = "packages/platform/src/config/load-config.test.ts";
const FUNCTIONS = "packages/platform/src/control/functions.test.ts";
const SERVING = [CONFIG, "serving asks for tokens and limits rates"] as const;

type RequestLimit = Extract<keyof Limits, `${string}Rps` | `page${string}` | `cursor${string}`>;

/** The limits of requests: how many, and how much of a list one gets. */
export const REQUEST_LIMIT_NOTES: Readonly<Record<RequestLimit, LimitNote>> = {
  tenantRateRps: { what: "requests a second of a tenant, when serving", past: "429", test: SERVING },
  functionRateRps: {
    what: "requests a second of a function's ref, when serving",
    past: "429",
    test: SERVING,
  },
  clientRateRps: { what: "requests a second of a client address, when serving", past: "429", test: SERVING },
  pageSizeDefault: {
    what: "items of a page",
    past: "",
    code: "packages/contract/src/api/paging.ts",
  },
  pageSizeMax: {
    what: "items of a page that may be asked for",
    past: "400",
    test: [FUNCTIONS, "what is not valid is refused with 400, a bad name with its own code"],
  },
  cursorLengthMax: {
    what: "characters of the cursor of a page",
    past: "400",
    test: [
      "packages/platform/src/control/list-activations.test.ts",
      "a cursor stays within its bound, however many were queued in one moment",
    ],
  },
};
