import type { HostOperation } from "../abi.ts";
import type { HostCalls } from "./host-calls.ts";
import { httpFetchArguments } from "./http-arguments.ts";
import { LEVEL, type Level, logText, type WriteLine } from "./log.ts";
import { freeze, isFinite, NativeTypeError, quote, stringify, type Table } from "./primordials.ts";
import { readOptions } from "./read-options.ts";

type Encode = (first: unknown, second: unknown, third: unknown) => string;

/**
 * Makes `cs`, the host API: a frozen tree without prototypes. Arguments are written down as JSON here, inside
 * the guest; the host sees text only and checks it against what the version may do.
 */
export function createCs(calls: HostCalls, write: WriteLine): object {
  const operation = (name: HostOperation, encode: Encode) =>
    freeze((first?: unknown, second?: unknown, third?: unknown) =>
      calls.call(name, () => encode(first, second, third)),
    );
  const log = (level: Level) =>
    freeze((...values: unknown[]): void => {
      let text = "";
      for (let index = 0; index < values.length; index++) {
        text += (index === 0 ? "" : " ") + logText(values[index]);
      }
      write(level, text);
    });
  return branch({
    log: branch({
      debug: log(LEVEL.debug),
      info: log(LEVEL.info),
      warn: log(LEVEL.warn),
      error: log(LEVEL.error),
    }),
    kv: branch({
      get: operation("kv.get", (key) => `[${textArgument("cs.kv.get: key", key)}]`),
      set: operation("kv.set", kvSetArguments),
      del: operation("kv.del", (key) => `[${textArgument("cs.kv.del: key", key)}]`),
    }),
    codeq: branch({
      publish: operation("codeq.publish", (topic, payload) => {
        const name = textArgument("cs.codeq.publish: topic", topic);
        return `[${name},${jsonArgument("cs.codeq.publish: payload", payload)}]`;
      }),
    }),
    http: branch({ fetch: operation("http.fetch", httpFetchArguments) }),
    cadence: branch({
      heartbeat: operation("cadence.heartbeat", (details) =>
        details === undefined ? "[]" : `[${jsonArgument("cs.cadence.heartbeat: details", details)}]`,
      ),
    }),
    secrets: branch({
      get: operation("secrets.get", (name) => `[${textArgument("cs.secrets.get: name", name)}]`),
    }),
  });
}

const KV_SET_OPTIONS = { __proto__: null, ttlSeconds: true } as unknown as Table<true>;

const branch = (members: object): object => freeze({ __proto__: null, ...members });

function kvSetArguments(key: unknown, value: unknown, options: unknown): string {
  const head = `${textArgument("cs.kv.set: key", key)},${jsonArgument("cs.kv.set: value", value)}`;
  const ttlSeconds = readOptions("cs.kv.set", options, KV_SET_OPTIONS)?.["ttlSeconds"];
  if (ttlSeconds === undefined) return `[${head}]`;
  if (typeof ttlSeconds !== "number" || !isFinite(ttlSeconds)) {
    throw new NativeTypeError("cs.kv.set: ttlSeconds must be a number");
  }
  return `[${head},{"ttlSeconds":${ttlSeconds}}]`;
}

/** @throws TypeError when it is not a string */
function textArgument(what: string, value: unknown): string {
  if (typeof value !== "string") throw new NativeTypeError(`${what} must be a string`);
  return quote(value);
}

/** @throws TypeError when it has no JSON */
function jsonArgument(what: string, value: unknown): string {
  const json: unknown = stringify(value);
  if (typeof json !== "string") throw new NativeTypeError(`${what} cannot be written as JSON`);
  return json;
}
