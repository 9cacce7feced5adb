import { PlatformError } from "@sous/contract";
import { HOST_OPERATIONS, type HostOperation } from "@sous/guest";
import type { HostAnswer } from "@sous/sandbox";
import type { KvStore } from "@sous/store";
import type { SecretReader } from "../secrets/secret-vault.ts";
import { callCodeq, type PublishTopic } from "./codeq-power.ts";
import type { Egress } from "./create-egress.ts";
import type { HostPowers, PowerScope } from "./host-powers.ts";
import { callHttp } from "./http-power.ts";
import { callKv } from "./kv-power.ts";
import { createSecretPower, type SecretPower } from "./secret-power.ts";
import { badArgument, parseArguments, printJson, quoted } from "./parse-arguments.ts";

export interface HostPowersOptions {
  kv: KvStore;
  /** Takes a message a function publishes, already judged. */
  publish: PublishTopic;
  egress: Egress;
  secrets: SecretReader;
  /** Epoch milliseconds now. */
  clock(): number;
  /** Takes the heartbeat of a Cadence activity, as JSON text; without it heartbeats are dropped. */
  heartbeat?(scope: PowerScope, detailsJson: string): Promise<void>;
  /** Hears of faults that are ours; the function is told only that there was one. */
  onFault?(error: unknown): void;
}

const MESSAGE_CHARACTERS_MAX = 1000;
const HEARTBEAT_BYTES_MAX = 64 * 1024;

/** Makes the powers behind `cs.*`. They own the egress and dispose of it; the store stays the caller's. */
export function createHostPowers(options: HostPowersOptions): HostPowers {
  const { egress, onFault = () => undefined } = options;
  const secrets = createSecretPower(options.secrets);
  const powers = { ...options, secrets, reader: options.secrets };
  return {
    guardOf: (scope) => secrets.of(scope),
    async call(scope, { operation, argumentsJson }) {
      try {
        if (!isHostOperation(operation)) throw badArgument("cs", `there is no call ${quoted(operation)}`);
        return { ok: true, json: await dispatch(powers, scope, operation, parseArguments(argumentsJson)) };
      } catch (error) {
        if (!(error instanceof PlatformError)) onFault(error);
        return refusal(error);
      }
    },
    async [Symbol.asyncDispose]() {
      await egress[Symbol.asyncDispose]();
    },
  };
}

type Dispatch = Omit<HostPowersOptions, "secrets"> & { secrets: SecretPower; reader: SecretReader };

async function dispatch(
  options: Dispatch,
  scope: PowerScope,
  operation: HostOperation,
  args: readonly unknown[],
): Promise<string> {
  switch (operation) {
    case "kv.get":
      return callKv(options, scope, "get", args);
    case "kv.set":
      return callKv(options, scope, "set", args);
    case "kv.del":
      return callKv(options, scope, "del", args);
    case "codeq.publish":
      return callCodeq(options.publish, scope, args);
    case "http.fetch":
      return callHttp({ ...options, secrets: options.secrets.of(scope) }, scope, args);
    case "cadence.heartbeat":
      return callHeartbeat(options, scope, args);
    case "secrets.get":
      return options.secrets.get(scope, args);
  }
}

async function callHeartbeat(
  options: Pick<HostPowersOptions, "heartbeat">,
  scope: PowerScope,
  args: readonly unknown[],
): Promise<string> {
  if (scope.trigger !== "cadence") {
    throw denied(
      "cs.cadence.heartbeat: only activations that Cadence started may send one; check ctx.trigger.type",
    );
  }
  await options.heartbeat?.(
    scope,
    printJson("cs.cadence.heartbeat", "details", args[0] ?? null, HEARTBEAT_BYTES_MAX),
  );
  return "null";
}

function refusal(error: unknown): HostAnswer {
  if (!(error instanceof PlatformError)) {
    return { ok: false, code: "CS_INTERNAL", message: "A fault of the platform; try again" };
  }
  return {
    ok: false,
    code: error.code,
    message: error.message.slice(0, MESSAGE_CHARACTERS_MAX).toWellFormed(),
  };
}

const isHostOperation = (operation: string): operation is HostOperation =>
  (HOST_OPERATIONS as readonly string[]).includes(operation);

const denied = (message: string): PlatformError => new PlatformError("CS_RUNTIME_CAPABILITY_DENIED", message);
