import type { Message, SQSClient } from "@aws-sdk/client-sqs";
import { LRUCache } from "lru-cache";
import { PlatformError } from "@sous/contract";
import type { Egress } from "../../powers/create-egress.ts";
import {
  type AdapterContext,
  type Partition,
  type SourceAdapter,
  type SourceMessage,
  WHOLE,
} from "../adapter.ts";
import { type AwsPart, awsClientConfig } from "../aws/client-config.ts";
import { sqsMessage } from "./sqs-message.ts";

const VISIBILITY_SECONDS = 30;
const POLL_SECONDS = 10;
/** Of one request, by the protocol. */
const ENTRIES_MAX = 10;
const VISIBILITY_MAX_SECONDS = 43_200;
const REMEMBERED = 10_000;

/** A queue, and what becomes of its messages; `undefined` for one that is not for the function. */
export interface QueueOptions extends AwsPart {
  queue_url: string;
  visibility_timeout_seconds?: number;
  read?: (message: SourceMessage, body: string) => SourceMessage | undefined;
}

/** Sends entries of a batch. @returns those that were refused */
type SendBatch = (
  entries: { Id: string; ReceiptHandle: string }[],
) => Promise<{ Failed?: { Message?: string | undefined }[] | undefined }>;

type Context = AdapterContext & { egress: Pick<Egress, "fetch"> };

/** Makes the adapter of a queue of SQS, or of a server that speaks its protocol. The client is loaded on first use. */
export async function createSqsAdapter(context: Context, options: QueueOptions): Promise<SourceAdapter> {
  const { SQSClient: Client } = await import("@aws-sdk/client-sqs");
  const config = await awsClientConfig(context, options, options.queue_url);
  // A queue's address is that of its server, unless told otherwise.
  const endpoint = options.endpoint ?? new URL(options.queue_url).origin;
  const client = new Client({ ...config, endpoint, useQueueUrlAsEndpoint: false });
  return {
    partitions: async () => WHOLE,
    open: () => openQueue(client, context, options),
    [Symbol.asyncDispose]: async () => client.destroy(),
  };
}

async function openQueue(client: SQSClient, context: Context, options: QueueOptions): Promise<Partition> {
  const sqs = await import("@aws-sdk/client-sqs");
  const { queue_url: QueueUrl, visibility_timeout_seconds: visibility = VISIBILITY_SECONDS } = options;
  const handles = new Map<string, string>();
  // What could not be deleted comes again; it has run, and is only deleted once more.
  const ended = new LRUCache<string, true>({ max: REMEMBERED });
  const attributes = (names: ("ApproximateNumberOfMessages" | "QueueArn")[]) =>
    client.send(new sqs.GetQueueAttributesCommand({ QueueUrl, AttributeNames: names }));
  const arn = (await attributes(["QueueArn"])).Attributes?.["QueueArn"] ?? "";

  /**
   * Sends entries ten at a time. One that is refused keeps none of the others from being sent.
   * @throws the first refusal, when all have been sent
   */
  async function inTens(messages: readonly SourceMessage[], send: SendBatch): Promise<void> {
    const entries = messages.flatMap(({ id }, at) => {
      const handle = handles.get(id);
      return handle === undefined ? [] : [{ Id: String(at), ReceiptHandle: handle }];
    });
    const refused: string[] = [];
    for (let at = 0; at < entries.length; at += ENTRIES_MAX) {
      const { Failed = [] } = await send(entries.slice(at, at + ENTRIES_MAX));
      refused.push(...Failed.map(({ Message }) => Message ?? "no reason"));
    }
    if (refused.length === 0) return;
    const what = refused.length === 1 ? "" : `${refused.length} of ${entries.length}: `;
    throw new PlatformError("CS_INTERNAL", `the queue refused ${what}${refused[0]}`);
  }

  const hide = (messages: readonly SourceMessage[], seconds: number): Promise<void> =>
    inTens(messages, (entries) =>
      client.send(
        new sqs.ChangeMessageVisibilityBatchCommand({
          QueueUrl,
          Entries: entries.map((entry) => Object.assign(entry, { VisibilityTimeout: seconds })),
        }),
      ),
    );
  const remove = (messages: readonly SourceMessage[]): Promise<void> =>
    inTens(messages, (Entries) => client.send(new sqs.DeleteMessageBatchCommand({ QueueUrl, Entries })));
  const letGo = (messages: readonly SourceMessage[]): void => {
    for (const { id } of messages) handles.delete(id);
  };

  async function sort(received: readonly Message[]): Promise<SourceMessage[]> {
    const taken: SourceMessage[] = [];
    const dropped: SourceMessage[] = [];
    for (const each of received) {
      const message = sqsMessage(context.source, each, arn);
      const isHeld = handles.has(message.id);
      // The newest handle is the one that counts.
      handles.set(message.id, each.ReceiptHandle ?? "");
      const read = options.read === undefined ? message : options.read(message, each.Body ?? "");
      if (read === undefined || ended.has(message.id)) dropped.push(message);
      // It was not hidden for long enough, and still waits or runs here.
      else if (!isHeld) taken.push(read);
    }
    if (dropped.length === 0) return taken;
    try {
      await remove(dropped);
    } catch (error) {
      // What is dropped comes again; what was taken is held from here on, and has to reach whoever asked.
      if (taken.length === 0) throw error;
    } finally {
      letGo(dropped);
    }
    return taken;
  }

  async function poll(room: number, signal: AbortSignal): Promise<SourceMessage[]> {
    const { Messages = [] } = await client.send(
      new sqs.ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(ENTRIES_MAX, room),
        WaitTimeSeconds: POLL_SECONDS,
        VisibilityTimeout: visibility,
        MessageSystemAttributeNames: ["All"],
        MessageAttributeNames: ["All"],
      }),
    );
    const messages = await sort(Messages);
    if (!signal.aborted) return messages;
    // It came when nobody wanted it any more: at once for others.
    if (messages.length > 0) await hide(messages, 0);
    return [];
  }

  return {
    async receive(room, signal) {
      const { promise: stopped, resolve } = Promise.withResolvers<SourceMessage[]>();
      const stop = (): void => resolve([]);
      signal.addEventListener("abort", stop, { once: true });
      const polled = poll(room, signal);
      // What fails after a stop is of no interest: it comes again when its time is over.
      polled.catch(() => {});
      try {
        return await Promise.race([polled, stopped]);
      } finally {
        signal.removeEventListener("abort", stop);
      }
    },
    async done(messages) {
      for (const { id } of messages) ended.set(id, true);
      await remove(messages);
      letGo(messages);
    },
    holdEveryMs: (visibility * 1000) / 2,
    hold: (messages) => hide(messages, visibility),
    async giveBack(messages, delayMs) {
      const hidden = hide(messages, Math.min(VISIBILITY_MAX_SECONDS, Math.ceil(delayMs / 1000)));
      // Before the answer: a read that is on its way may be given them first.
      letGo(messages);
      await hidden;
    },
    async lag() {
      const { Attributes = {} } = await attributes(["ApproximateNumberOfMessages"]);
      return { count: Number(Attributes["ApproximateNumberOfMessages"] ?? 0), ageMs: null };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
