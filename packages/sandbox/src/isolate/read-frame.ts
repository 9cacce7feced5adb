import type { FunctionResult } from "@sous/contract";
import type { MechanismListener, MechanismOutcome } from "../mechanism.ts";
import { FrameError, type FrameCursor } from "./frame-reader.ts";
import {
  COLD_REASONS,
  FAILED_BUDGETS,
  FAILURES,
  FIELD_BYTES_MAX,
  FROM_HOST,
  LOG_LEVELS,
} from "./protocol.ts";
import { readCookies, readHeaders } from "./read-headers.ts";

/**
 * Turns one frame of a host into a call of the listener, checking every field.
 * @throws FrameError when the frame is not one an honest host would send
 */
export function readFrame(type: number, cursor: FrameCursor, listener: MechanismListener): void {
  switch (type) {
    case FROM_HOST.reply: {
      const number = cursor.u32();
      listener.onOutcome(number, readReply(cursor));
      return;
    }
    case FROM_HOST.fail: {
      const number = cursor.u32();
      listener.onOutcome(number, readFailure(cursor));
      return;
    }
    case FROM_HOST.call: {
      const number = cursor.u32();
      const callId = cursor.u32();
      const operation = cursor.string(FIELD_BYTES_MAX.operation);
      const argumentsJson = cursor.string(FIELD_BYTES_MAX.arguments);
      cursor.done();
      listener.onCall(number, callId, { operation, argumentsJson });
      return;
    }
    case FROM_HOST.log: {
      const number = cursor.u32();
      const level = oneOf(LOG_LEVELS, cursor.u8());
      const text = cursor.string(FIELD_BYTES_MAX.logText);
      cursor.done();
      listener.onLog(number, level, text);
      return;
    }
    case FROM_HOST.gone: {
      const number = cursor.u32();
      cursor.done();
      listener.onGone(number);
      return;
    }
    case FROM_HOST.ready: {
      const json = cursor.string(FIELD_BYTES_MAX.json);
      cursor.done();
      listener.onReady(json);
      return;
    }
    default:
      throw new FrameError(`unknown frame type ${type}`);
  }
}

type Facts = Omit<MechanismOutcome, "status" | "result" | "error" | "budget">;

function readFacts(cursor: FrameCursor): Facts {
  const coldReason = oneOf(COLD_REASONS, cursor.u8());
  const placementMs = milliseconds(cursor);
  const bootMs = milliseconds(cursor);
  const initMs = milliseconds(cursor);
  const handlerMs = milliseconds(cursor);
  const hostCallsMs = milliseconds(cursor);
  const cpuMs = milliseconds(cursor);
  const memoryPeakBytes = Math.floor(milliseconds(cursor));
  const externalMemoryBytes = Math.floor(milliseconds(cursor));
  const timersPeak = cursor.u32();
  const timings = { placementMs, bootMs, initMs, handlerMs, hostCallsMs };
  return {
    coldReason,
    cold: coldReason !== "none",
    timings,
    cpuMs,
    memoryPeakBytes,
    externalMemoryBytes,
    timersPeak,
  };
}

function readReply(cursor: FrameCursor): MechanismOutcome {
  const facts = readFacts(cursor);
  const statusCode = cursor.u32();
  const isBase64Encoded = cursor.u8() === 1;
  const headersJson = cursor.string(FIELD_BYTES_MAX.headers);
  const cookiesJson = cursor.string(FIELD_BYTES_MAX.cookies);
  const body = cursor.string(FIELD_BYTES_MAX.body);
  cursor.done();
  if (statusCode < 100 || statusCode > 599) throw new FrameError(`status code ${statusCode}`);
  const headers = readHeaders(headersJson);
  const result: FunctionResult = { statusCode, headers, body, isBase64Encoded };
  if (cookiesJson !== "") result.cookies = readCookies(cookiesJson);
  return { status: "success", result, ...facts };
}

function readFailure(cursor: FrameCursor): MechanismOutcome {
  const facts = readFacts(cursor);
  const type = oneOf(FAILURES, cursor.u8());
  const budget = oneOf(FAILED_BUDGETS, cursor.u8());
  const message = cursor.string(FIELD_BYTES_MAX.message);
  const stack = cursor.string(FIELD_BYTES_MAX.stack);
  cursor.done();
  const error = stack === "" ? { type, message } : { type, message, stack };
  const outcome: MechanismOutcome = { status: type === "Timeout" ? "timeout" : "error", error, ...facts };
  if (budget !== "none") outcome.budget = budget;
  return outcome;
}

function oneOf<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new FrameError(`no such value: ${index}`);
  return value;
}

function milliseconds(cursor: FrameCursor): number {
  const value = cursor.f64();
  if (value < 0 || value > 1e15) throw new FrameError(`measure of ${value}`);
  return value;
}
