import type { Limits } from "@sous/contract";
import { CADENCE_LIMIT_NOTES } from "./cadence-limit-notes.ts";
import { DEAD_LETTER_LIMIT_NOTES } from "./dead-letter-limit-notes.ts";
import { EVENT_LIMIT_NOTES } from "./event-limit-notes.ts";
import type { LimitNote } from "./limit-note.ts";
import { REQUEST_LIMIT_NOTES } from "./request-limit-notes.ts";

const E2E = "test/e2e/limits.test.ts";
const E2E_ASYNC = "test/e2e/delay-and-wait.test.ts";
const E2E_DEST = "test/triggers/destinations.test.ts";
const DEST_EVENT = "packages/platform/src/activations/destination-event.test.ts";
const DEST = "packages/platform/src/destinations/create-destinations.ts";
const WAITERS = "packages/platform/src/activations/end-waiters.test.ts";
const POWERS = "packages/platform/src/powers/create-host-powers.test.ts";
const BUNDLE = "packages/platform/src/bundle/build-bundle.test.ts";
const GUEST_RESULTS = "packages/guest/src/results.test.ts";
const GUEST_API = "packages/guest/src/host-api.test.ts";
const CATALOG = "packages/platform/src/catalog/create-catalog.test.ts";
const VERSIONS = "packages/platform/src/control/versions.test.ts";
const FUNCTIONS = "packages/platform/src/control/functions.test.ts";
const SECRETS = "packages/platform/src/control/secrets.test.ts";
const SCHEDULES = "packages/platform/src/control/schedules.test.ts";
const VALIDATE = "packages/contract/src/validate.test.ts";

const BODY = [E2E, "a body of 6 MiB is taken, one byte more is 413"] as const;
const TAR = [BUNDLE, "a tar of exactly 16 MiB passes, one block more is refused"] as const;
const RESULT = [GUEST_RESULTS, "a result over its bounds is too large, at the bound it is not"] as const;
const THROWN = [
  GUEST_RESULTS,
  "thrown values end the activation with bounded text and the user's frames only",
] as const;
const KV = [POWERS, "a key of 512 bytes and a value of 256 KiB pass, one more does not"] as const;
const DEFAULTS = [VERSIONS, "a draft becomes a version with the manifest's limits and the defaults"] as const;
const DEPTH = [
  E2E,
  "past the depth of its queue a function refuses synchronous calls, and waiting ones grow too old",
] as const;

/** Every limit there is: a new one does not compile without its note. */
export const LIMIT_NOTES: Readonly<Record<keyof Limits, LimitNote>> = {
  bundleBytesMax: { what: "bundle as tar", past: "400", test: TAR },
  bundleFilesMax: {
    what: "files of a bundle",
    past: "400",
    test: [BUNDLE, "a thousand files pass, one more is refused"],
  },
  bundlePathBytesMax: {
    what: "path in a bundle",
    past: "400",
    test: [BUNDLE, "longer than 255"],
  },
  draftRequestBytesMax: {
    what: "body of a draft upload",
    past: "413",
    test: [VERSIONS, "a body over 32 MiB is cut off with 413"],
  },
  requestBodyBytesMax: { what: "body of a call", past: "413", test: BODY },
  requestBodiesBytesMax: {
    what: "bodies of calls and webhooks that are on their way at once",
    past: "429",
    test: [
      "packages/platform/src/http/read-body.test.ts",
      "slow senders together hold no more than the bound, and give back what they held",
    ],
  },
  controlBodyBytesMax: {
    what: "body of any other request",
    past: "413",
    test: [FUNCTIONS, "bodies are JSON only, and bounded"],
  },
  headersBytesMax: { what: "headers of a request", past: "431", test: [E2E, "headers over 64 KiB are 431"] },
  queryBytesMax: {
    what: "query of a request",
    past: "414",
    test: [E2E, "a query of 16 KiB is taken, one byte more is 414"],
  },
  resultRecordBytesMax: {
    what: "body of a result in the record",
    past: "cut and marked",
    test: [E2E, "a result over 256 KiB is whole for the caller and cut and marked in the record"],
  },
  resultAnswerBytesMax: {
    what: "body of a result to the caller",
    past: "`ResultTooLarge`",
    test: [E2E, "a result of 6 MiB is taken, one byte more is ResultTooLarge"],
  },
  responseHeadersMax: { what: "headers of a result", past: "`ResultTooLarge`", test: RESULT },
  responseHeadersBytesMax: { what: "headers of a result together", past: "`ResultTooLarge`", test: RESULT },
  responseCookiesMax: { what: "cookies of a result", past: "`ResultTooLarge`", test: RESULT },
  responseCookieCharactersMax: { what: "a cookie of a result", past: "`ResultTooLarge`", test: RESULT },
  errorBytesMax: { what: "message of a thrown error", past: "cut", test: THROWN },
  stackBytesMax: { what: "stack of a thrown error", past: "cut", test: THROWN },
  logBytesMax: {
    what: "log of an activation",
    past: "cut and marked",
    test: ["test/attack/attack.test.ts", "a log is bounded and marked where it was cut"],
  },
  logLineBytesMax: {
    what: "line of a log",
    past: "cut and marked",
    test: [
      "packages/platform/src/powers/sanitise-log-line.test.ts",
      "a line over the bound is cut with a mark and stays valid",
    ],
  },
  kvKeyBytesMax: { what: "key of `cs.kv`", past: "the call is refused", test: KV },
  kvValueBytesMax: { what: "value of `cs.kv` as JSON", past: "the call is refused", test: KV },
  kvNamespaceBytesMax: {
    what: "values of a namespace together",
    past: "the call is refused",
    test: [
      "packages/store/src/contract-suite/kv-suite.ts",
      "a namespace holds its quota of bytes and not one more",
    ],
  },
  secretBytesMax: {
    what: "value of a secret in UTF-8",
    past: "413",
    test: [SECRETS, "a value of 64 KiB is taken, one byte more is 413"],
  },
  secretsPerNamespaceMax: {
    what: "secrets of a namespace",
    past: "409",
    test: [
      "packages/store/src/contract-suite/secret-suite.ts",
      "a namespace holds so many secrets and not one more",
    ],
  },
  usersPerTenantMax: {
    what: "users of a tenant",
    past: "409",
    test: ["packages/platform/src/control/users.test.ts", "a tenant has so many users and not one more"],
  },
  schedulesPerNamespaceMax: {
    what: "schedules of a namespace",
    past: "409",
    test: [
      "packages/store/src/contract-suite/schedule-suite.ts",
      "a namespace holds so many schedules and not one more",
    ],
  },
  schedulePayloadBytesMax: {
    what: "payload of a schedule as JSON",
    past: "413",
    test: [SCHEDULES, "a payload of 256 KiB is taken, one byte more is 413"],
  },
  scheduleCatchupMax: {
    what: "missed ticks of a schedule that are made up for",
    past: "left out",
    test: [
      "packages/platform/src/scheduler/plan-ticks.test.ts",
      "behind by more than the bound the oldest ticks are made up for, then it goes on from now",
    ],
  },
  auditTtlMs: {
    what: "audit events are kept",
    past: "swept",
    test: [
      "packages/store/src/contract-suite/audit-suite.ts",
      "sweep removes the events that have outlived their time, of all tenants, with their ends",
    ],
  },
  auditDataBytesMax: {
    what: "details of an audit event",
    past: "left out, with a mark",
    test: [
      "packages/platform/src/control/audit.test.ts",
      "details that are too large are left out, with a mark",
    ],
  },
  resourceRecordBytesMax: {
    what: "record of an event source, worker or member in the store",
    past: "413",
    test: [
      "packages/store/src/contract-suite/resource-suite.ts",
      "names and records that cannot be kept are refused, a record of 64 KiB is kept",
    ],
  },
  ...CADENCE_LIMIT_NOTES,
  ...EVENT_LIMIT_NOTES,
  codeqPayloadBytesMax: {
    what: "payload of `cs.codeq.publish`",
    past: "the call is refused",
    test: [POWERS, "codeq refuses topics off the list, the platform's own always"],
  },
  httpRequestBytesMax: {
    what: "body of a call out",
    past: "the call is refused",
    test: [POWERS, "bad http arguments are refused"],
  },
  httpResponseBytesMax: {
    what: "answer to a call out",
    past: "the call fails",
    test: [
      "packages/platform/src/powers/create-egress.test.ts",
      "answers over the limit are cut off: announced, streamed without end, or swelling on decoding",
    ],
  },
  hostCallsMax: {
    what: "calls out of an activation, unless `budgets.hostCalls` says otherwise",
    past: "`BudgetExceeded`",
    test: ["test/attack/cases/flood.ts", "host calls for ever"],
  },
  hostCallsOpenMax: {
    what: "calls out that are open at once",
    past: "the next wait their turn",
    test: [GUEST_API, "more calls than fit wait for their turn, in order"],
  },
  cpuDefaultMs: {
    what: "processor time of an activation, unless `budgets.cpuMs` says otherwise",
    past: "`BudgetExceeded`",
    test: [
      "packages/sandbox/src/contract-suite.ts",
      "ends with the budget's name, and a clean activation follows",
    ],
  },
  egressBytesMax: {
    what: "bytes of an activation's calls out, unless `budgets.egressBytes` says otherwise",
    past: "the call is refused; `BudgetExceeded` where that is not caught",
    test: [
      "test/e2e/budgets.test.ts",
      "bytes of calls out end at their budget, and a caught refusal is the handler's business",
    ],
  },
  openFetchesMax: {
    what: "HTTP calls of an activation open at once, unless `budgets.openFetches` says otherwise",
    past: "the next wait their turn",
    test: ["test/e2e/budgets.test.ts", "HTTP calls past the budget of open ones wait for their turn"],
  },
  timersMax: {
    what: "timers alive at once",
    past: "`setTimeout` throws",
    test: [GUEST_API, "timers are bounded, and what they throw ends the activation"],
  },
  draftTtlMs: {
    what: "a draft lives",
    past: "409",
    test: [VERSIONS, "a draft is used once, and not after its day"],
  },
  activationTtlMs: {
    what: "a terminal record and its log live",
    past: "swept",
    test: [
      "packages/store/src/contract-suite/activation-suite.ts",
      "sweeping removes old terminal records of every tenant with their logs, and no others",
    ],
  },
  webTimeoutDefaultMs: {
    what: "`timeoutMs` that templates and examples carry",
    past: "",
    code: "packages/cli/templates/http/manifest.json",
  },
  webTimeoutMaxMs: {
    what: "a synchronous caller waits",
    past: "`Timeout`, 504",
    test: [E2E, "a synchronous caller hears of the timeout itself, at the bound for waiting"],
  },
  workerTimeoutDefaultMs: {
    what: "timeout shown for a function without versions in the short forms",
    past: "",
    code: "packages/platform/src/control/function-spec.ts",
  },
  workerTimeoutMaxMs: {
    what: "`timeoutMs` of a manifest or config",
    past: "400",
    test: [VALIDATE, "NaN, infinities, fractions and numbers in strings are no integers"],
  },
  memoryDefaultMb: {
    what: "`memoryMb` that templates and examples carry",
    past: "",
    code: "packages/cli/templates/http/manifest.json",
  },
  maxConcurrencyDefault: {
    what: "`maxConcurrency` that templates and examples carry",
    past: "",
    code: "packages/cli/templates/http/manifest.json",
  },
  replyGraceMs: {
    what: "beyond the deadline until a waiting caller hears for certain",
    past: "504",
    test: ["test/attack/describe-attacks.ts", "ms after its deadline"],
  },
  killGraceMs: {
    what: "beyond the deadline until a host that does not let go is killed",
    past: "",
    test: [
      "packages/sandbox/src/contract-suite.ts",
      "a neighbour in the same sandbox is not blamed for a kill",
    ],
  },
  bundleCacheItemsMax: {
    what: "programs in memory",
    past: "those not used lately go",
    test: [
      "packages/platform/src/bundle/bundle-cache.test.ts",
      "over its items the cache forgets what was used least recently",
    ],
  },
  bundleCacheBytesMax: {
    what: "text of programs in memory",
    past: "those not used lately go",
    test: [
      "packages/platform/src/bundle/bundle-cache.test.ts",
      "over its bytes the cache forgets, and a program that is larger than all of it runs and puts nobody out",
    ],
  },
  tokenCacheTtlMs: {
    what: "a verified token is trusted without asking",
    past: "asked again",
    test: [
      "packages/platform/src/auth/local-authenticator.test.ts",
      "a revocation here counts at once, one elsewhere within a minute",
    ],
  },
  aliasCacheTtlMs: {
    what: "age of a resolved alias where the store has other processes too (else a minute)",
    past: "looked up again",
    test: [CATALOG, "a change elsewhere is seen within a second, a change here at once"],
  },
  asyncAttemptsMax: {
    what: "attempts of an asynchronous activation",
    past: "dead letter",
    test: [E2E, "a failing asynchronous activation is tried three times in all"],
  },
  asyncBackoffMs: { what: "pause before the second attempt, at most", past: "", test: DEFAULTS },
  asyncBackoffMaxMs: { what: "pause between attempts, at most", past: "", test: DEFAULTS },
  asyncMaxAgeMs: {
    what: "age at which queued work is started no more",
    past: "`Expired`, a dead letter",
    test: DEFAULTS,
  },
  asyncDelayMaxMs: {
    what: "delay of an asynchronous call, which its `max_age_ms` has to exceed",
    past: "400",
    test: [E2E_ASYNC, "a delay holds work back, and one past its age or the bound is refused"],
  },
  asyncDepthMax: {
    what: "asynchronous calls waiting for a function",
    past: "429",
    test: [E2E, "past its depth the queue of a function refuses asynchronous calls with 429 and a reason"],
  },
  destinationPayloadBytesMax: {
    what: "event, and answer, in what a destination is told",
    past: "left out, and said so",
    test: [DEST_EVENT, "a payload over its bound is left out and said to be"],
  },
  destinationAttemptsMax: {
    what: "tries to tell a destination",
    past: "dead letter",
    test: [
      E2E_DEST,
      "a webhook that keeps failing is tried again and ends as a dead letter that can be redriven",
    ],
  },
  destinationBackoffMs: { what: "pause before the second try, at most", past: "", code: DEST },
  destinationBackoffMaxMs: { what: "pause between tries, at most", past: "", code: DEST },
  destinationTimeoutMs: { what: "a webhook's answer", past: "the try fails", code: DEST },
  activationWaitMaxSeconds: {
    what: "`?wait=` for the end of an activation, in seconds",
    past: "400",
    test: [E2E_ASYNC, "a reader waits for the end and is woken by it"],
  },
  activationWaitersMax: {
    what: "callers of a process that wait for an end",
    past: "429",
    test: [WAITERS, "no more wait than may"],
  },
  syncDepthMax: { what: "synchronous calls waiting for a function", past: "429", test: DEPTH },
  syncWaitMaxMs: {
    what: "a synchronous call waits in the queue, before up to 64 of a version wait in its host until their deadline",
    past: "429",
    test: DEPTH,
  },
  inflightMax: {
    what: "activations a process works on at once",
    past: "the next wait",
    test: [
      "packages/codeq/src/contract/fairness-contract.ts",
      "no more is delivered than there is capacity for",
    ],
  },
  invocationLeaseMs: {
    what: "claimed work of a process that is not heard of, before others may take it",
    past: "the next attempt",
    test: ["test/cluster/failures.test.ts", "an invoker that is killed"],
  },
  unwrittenEndsMax: {
    what: "ends of activations a process keeps for a store that takes none",
    past: "no more work is taken",
    test: ["test/cluster/static-stability.test.ts", "past what may wait for the store"],
  },
  ...DEAD_LETTER_LIMIT_NOTES,
  ...REQUEST_LIMIT_NOTES,
};
