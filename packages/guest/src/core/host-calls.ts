import { LIMITS } from "@sous/contract/limits";
import type { GuestHost, HostOperation } from "../abi.ts";
import { fits } from "./bounded-text.ts";
import {
  define,
  NativeError,
  NativePromise,
  NativeRangeError,
  parseJson,
  type Table,
} from "./primordials.ts";
import { BUDGET_CODE, budgetError } from "./thrown.ts";

/** Most bytes of JSON text one call carries to the host. */
const ARGUMENTS_BYTES_MAX = LIMITS.httpRequestBytesMax;

export interface HostCalls {
  /**
   * Calls the host once one of its places is free; the promise is settled by `settle`.
   * @param encode writes the arguments as JSON; what it throws rejects the promise
   */
  call(operation: HostOperation, encode: () => string): Promise<unknown>;
  settle(callId: number, ok: boolean, payload: string, code: string): void;
}

interface OpenCall {
  operation: HostOperation;
  argumentsJson: string;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  next: OpenCall | undefined;
}

/**
 * Keeps the calls a guest has out. At most `LIMITS.hostCallsOpenMax` are at the host; more wait here in order,
 * which is what a function means that fetches a hundred keys at once.
 */
export function createHostCalls(host: GuestHost): HostCalls {
  const open = { __proto__: null } as unknown as Table<OpenCall>;
  let openCount = 0;
  let lastId = 0;
  let waitingCount = 0;
  let firstWaiting: OpenCall | undefined;
  let lastWaiting: OpenCall | undefined;

  const begin = (call: OpenCall): void => {
    const id = ++lastId;
    open[id] = call;
    openCount++;
    host.call(id, call.operation, call.argumentsJson);
  };

  const wait = (call: OpenCall): void => {
    if (lastWaiting === undefined) firstWaiting = call;
    else lastWaiting.next = call;
    lastWaiting = call;
    waitingCount++;
  };

  const beginWaiting = (): void => {
    const call = firstWaiting;
    if (call === undefined) return;
    firstWaiting = call.next;
    if (firstWaiting === undefined) lastWaiting = undefined;
    waitingCount--;
    begin(call);
  };

  return {
    call: (operation, encode) =>
      new NativePromise((resolve, reject) => {
        const argumentsJson = encode();
        if (!fits(argumentsJson, ARGUMENTS_BYTES_MAX)) {
          throw new NativeRangeError(
            `cs.${operation}: its arguments take more than ${ARGUMENTS_BYTES_MAX} bytes`,
          );
        }
        const call: OpenCall = { operation, argumentsJson, resolve, reject, next: undefined };
        if (openCount < LIMITS.hostCallsOpenMax) return begin(call);
        if (waitingCount >= LIMITS.hostCallsMax) {
          throw new NativeRangeError(`cs.${operation}: more than ${LIMITS.hostCallsMax} calls are waiting`);
        }
        wait(call);
      }),
    settle(callId, ok, payload, code) {
      const call = open[callId];
      if (call === undefined) return;
      delete open[callId];
      openCount--;
      beginWaiting();
      if (!ok) return call.reject(hostError(payload, code));
      try {
        call.resolve(payload === "" ? undefined : parseJson(payload));
      } catch (error) {
        call.reject(error);
      }
    },
  };
}

function hostError(message: string, code: string): Error {
  // The one budget that ends a call and not the activation.
  if (code === BUDGET_CODE) return budgetError(message, "egress_bytes");
  const error = new NativeError(message);
  define(error, "code", code);
  return error;
}
