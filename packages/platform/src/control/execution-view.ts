import { type ActivationRecord, errorCodeOf, type ExecutionReply } from "@sous/contract";

/** @returns an activation as the short form `GET /v1/executions/{id}` shows it */
export const executionView = (record: ActivationRecord): ExecutionReply => ({
  executionId: record.activation_id,
  status: record.status,
  startedAt: record.start_ms,
  finishedAt: record.end_ms,
  output: record.result === undefined ? null : outputOf(record.result),
  error:
    record.error === undefined
      ? null
      : { code: errorCodeOf(record.error.type), message: record.error.message },
});

/** The answer as JSON where it is JSON, else as text; bytes stay base64. */
function outputOf({ body, isBase64Encoded }: { body: string; isBase64Encoded: boolean }): unknown {
  if (isBase64Encoded) return body;
  if (body === "") return null;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
