import type { Message } from "@aws-sdk/client-sqs";
import type { EventSourceRecord } from "@sous/contract";
import type { SourceMessage } from "../adapter.ts";
import { parsedOr } from "./parsed-or.ts";

/** @returns a message of SQS, with what a function on AWS Lambda gets of it */
export function sqsMessage(source: EventSourceRecord, message: Message, arn: string): SourceMessage {
  const {
    MessageId = "",
    ReceiptHandle = "",
    Body = "",
    MD5OfBody = "",
    Attributes = {},
    MessageAttributes = {},
  } = message;
  const messageAttributes = Object.fromEntries(
    Object.entries(MessageAttributes).map(([name, { StringValue, BinaryValue, DataType = "String" }]) => [
      name,
      {
        dataType: DataType,
        ...(StringValue === undefined ? {} : { stringValue: StringValue }),
        ...(BinaryValue === undefined ? {} : { binaryValue: Buffer.from(BinaryValue).toString("base64") }),
      },
    ]),
  );
  const record = {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes,
    messageAttributes,
    md5OfBody: MD5OfBody,
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    eventSourceName: source.name,
    awsRegion: arn.split(":")[3] ?? "",
  };
  const sentMs = Number(Attributes.SentTimestamp);
  const group = Attributes.MessageGroupId;
  const trace = Attributes.AWSTraceHeader;
  return {
    id: MessageId,
    attempt: Math.max(1, Number(Attributes.ApproximateReceiveCount) || 1),
    ...(Number.isFinite(sentMs) ? { atMs: sentMs } : {}),
    ...(group === undefined ? {} : { key: group }),
    ...(trace?.startsWith("00-") === true ? { traceparent: trace } : {}),
    json: JSON.stringify(record),
    match: { ...record, body: parsedOr(Body) },
  };
}
