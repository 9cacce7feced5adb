import type { Capabilities } from "@sous/contract";
import type { HostPowers } from "./host-powers.ts";
import { type ObservedCall, observedCall, printCall } from "./observed-calls.ts";
import { type ManifestCapabilities, smallestCapabilities } from "./smallest-capabilities.ts";

/** `deny`: nothing is allowed; `allow`: keys and topics are, so that code which needs them goes on. */
export type ObserveMode = "deny" | "allow";

/** What a function asked for, and what would have been enough. */
export interface ObservedPowers {
  /** Each call once, in the order of the first. */
  calls: { kind: ObservedCall["kind"]; what: string; count: number; allowed: boolean }[];
  /** For `manifest.json`. */
  capabilities: ManifestCapabilities;
  /** For the config of the version. */
  secrets: string[];
}

/** Powers that write down what they are asked for. */
export interface ObservingPowers extends HostPowers {
  observed(): ObservedPowers;
}

const CALLS_MAX = 1000;
const NOTHING: Capabilities = {
  kv: { prefixes: [], ops: [] },
  codeq: { publish_topics: [] },
  http: { allow_hosts: [], timeout_ms: 1 },
};
const KEYS_AND_TOPICS: Capabilities = {
  kv: { prefixes: [""], ops: ["get", "set", "del"] },
  codeq: { publish_topics: ["*"] },
  http: NOTHING.http,
};

/**
 * Puts an observer before powers: what a version declares does not count, the powers themselves refuse or answer as
 * they always do. It owns the powers and disposes of them.
 */
export function observePowers(powers: HostPowers, mode: ObserveMode): ObservingPowers {
  const capabilities = mode === "allow" ? KEYS_AND_TOPICS : NOTHING;
  const seen = new Map<string, { call: ObservedCall; count: number; allowed: boolean }>();
  return {
    async call(scope, call) {
      const answer = await powers.call({ ...scope, capabilities, secrets: [] }, call);
      const asked = observedCall(call);
      // A call that fails for another reason would not have been helped by a capability.
      if (asked === undefined || !(answer.ok || answer.code === "CS_RUNTIME_CAPABILITY_DENIED"))
        return answer;
      const key = `${asked.kind} ${printCall(asked)}`;
      const known = seen.get(key);
      if (known !== undefined) known.count += 1;
      else if (seen.size < CALLS_MAX) seen.set(key, { call: asked, count: 1, allowed: answer.ok });
      return answer;
    },
    guardOf: () => undefined,
    observed() {
      const all = [...seen.values()];
      return {
        calls: all.map(({ call, count, allowed }) => ({
          kind: call.kind,
          what: printCall(call),
          count,
          allowed,
        })),
        capabilities: smallestCapabilities(all.map(({ call }) => call)),
        secrets: all.flatMap(({ call }) => (call.kind === "secret" ? [call.name] : [])).sort(),
      };
    },
    [Symbol.asyncDispose]: () => powers[Symbol.asyncDispose](),
  };
}
