import { HTTP_METHODS, type HttpMethod, type KvCapability } from "@sous/contract";
import type { HostCall } from "@sous/sandbox";
import { portOf } from "./egress-url.ts";
import { isPlatformTopic } from "./codeq-power.ts";
import { parseArguments } from "./parse-arguments.ts";

/** What a call asks for, as far as a capability could grant it. */
export type ObservedCall =
  | { kind: "kv"; op: KvCapability["ops"][number]; key: string }
  | { kind: "topic"; topic: string }
  | { kind: "http"; method: HttpMethod; host: string; port: number; usualPort: boolean; path: string }
  | { kind: "secret"; name: string };

/**
 * Reads what a call asks for.
 * @returns `undefined` for a call that nothing could allow: bad arguments, the platform's own topics
 */
export function observedCall({ operation, argumentsJson }: HostCall): ObservedCall | undefined {
  let args: readonly unknown[];
  try {
    args = parseArguments(argumentsJson);
  } catch {
    return undefined;
  }
  const [first, second] = args;
  if (typeof first !== "string" || first === "" || !first.isWellFormed()) return undefined;
  switch (operation) {
    case "kv.get":
      return { kind: "kv", op: "get", key: first };
    case "kv.set":
      return { kind: "kv", op: "set", key: first };
    case "kv.del":
      return { kind: "kv", op: "del", key: first };
    case "codeq.publish":
      return isPlatformTopic(first) ? undefined : { kind: "topic", topic: first };
    case "secrets.get":
      return { kind: "secret", name: first };
    case "http.fetch":
      return httpCall(first, second);
    default:
      return undefined;
  }
}

function httpCall(text: string, options: unknown): ObservedCall | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  const given = (options as { method?: unknown } | null | undefined)?.method ?? "GET";
  const method = HTTP_METHODS.find((one) => one === String(given).toUpperCase());
  if (method === undefined) return undefined;
  const host = url.hostname.replace(/\.$/, "");
  return { kind: "http", method, host, port: portOf(url), usualPort: url.port === "", path: url.pathname };
}

/** @returns the call for people */
export function printCall(call: ObservedCall): string {
  switch (call.kind) {
    case "kv":
      return `${call.op} ${call.key}`;
    case "topic":
      return call.topic;
    case "secret":
      return call.name;
    case "http":
      return `${call.method} ${call.host}${call.usualPort ? "" : `:${call.port}`}${call.path}`;
  }
}
