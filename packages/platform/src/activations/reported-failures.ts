import type { FunctionResult } from "@sous/contract";

/** What a function says of the messages of its batch: those that failed, or that its answer makes no sense. */
export type ReportedFailures = { failed: readonly string[] } | "malformed";

const NONE: ReportedFailures = { failed: [] };

/**
 * Reads `{"batchItemFailures": [{"itemIdentifier": "…"}]}`, as functions for AWS Lambda answer it.
 * @returns nothing failed, where the answer is something else
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function reportedFailures(result: FunctionResult | undefined): ReportedFailures {
  if (result === undefined || result.isBase64Encoded || !result.body.includes("batchItemFailures"))
    return NONE;
  let value: unknown;
  try {
    value = JSON.parse(result.body);
  } catch {
    return NONE;
  }
  if (typeof value !== "object" || value === null || !("batchItemFailures" in value)) return NONE;
  const { batchItemFailures: items } = value;
  if (items === null || items === undefined) return NONE;
  if (!Array.isArray(items)) return "malformed";
  const failed: string[] = [];
  for (const item of items as unknown[]) {
    const id =
      typeof item === "object" && item !== null && "itemIdentifier" in item ? item.itemIdentifier : undefined;
    if (typeof id !== "string" || id === "") return "malformed";
    failed.push(id);
  }
  return { failed };
}
