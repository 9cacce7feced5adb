import type { FrameWriter } from "../frame-writer.ts";
import { FAILED_BUDGETS, FAILURES, FROM_HOST } from "../protocol.ts";
import type { Activation, Answer } from "./activation.ts";

/** Writes the one answer of an activation with what was measured of it. */
export function writeAnswer(writer: FrameWriter, activation: Activation, answer: Answer): void {
  const begun = activation.startedAt === 0 ? performance.now() : activation.startedAt;
  const placementMs = Math.max(0, begun - activation.receivedAt - activation.bootMs - activation.initMs);
  const handlerMs = activation.startedAt === 0 ? 0 : performance.now() - activation.startedAt;
  if (activation.openCalls > 0) activation.hostCallsMs += performance.now() - activation.callsOpenedAt;
  writer
    .begin(answer.kind === "reply" ? FROM_HOST.reply : FROM_HOST.fail)
    .u32(activation.number)
    .u8(activation.coldReason)
    .f64(placementMs)
    .f64(activation.bootMs)
    .f64(activation.initMs)
    .f64(handlerMs)
    .f64(activation.hostCallsMs)
    .f64(activation.cpuMs)
    .f64(activation.memoryBytes)
    .f64(activation.externalBytes)
    .u32(activation.timersPeak);
  if (answer.kind === "reply") {
    writer
      .u32(answer.statusCode)
      .u8(answer.base64 ? 1 : 0)
      .string(answer.headersJson)
      .string(answer.cookiesJson)
      .string(answer.body);
  } else {
    writer
      .u8(FAILURES.indexOf(answer.type))
      .u8(FAILED_BUDGETS.indexOf(answer.budget))
      .string(answer.message)
      .string(answer.stack);
  }
  writer.end();
}
