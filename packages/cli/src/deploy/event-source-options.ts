import {
  type CreateEventSourceBody,
  type Destination,
  EVENT_SOURCE_TYPES,
  type EventSourceType,
  type PatchEventSourceBody,
  WEBHOOK_SCHEMES,
  type WebhookScheme,
} from "@sous/contract";
import { type Command, Option } from "commander";
import type { CliDeps } from "../cli-deps.ts";
import { CliError } from "../client/cli-error.ts";
import { oneOf, wholeNumber } from "../command-context.ts";
import { parseNamedRef } from "../function-ref.ts";
import { parseDuration, parseSeconds } from "../parse-duration.ts";
import { readEvent } from "../read-input.ts";
import {
  addDeliveryOptions,
  defined,
  type DeliveryOptions,
  parseDestination,
  readDestination,
} from "./version-config-options.ts";

type Fields = Partial<Omit<CreateEventSourceBody, "name">>;

/** Options that say what an event source reads and what it runs, as commander gives them. */
export interface EventSourceOptions extends DeliveryOptions {
  from?: string;
  type?: EventSourceType;
  fn?: string;
  topic?: string;
  queueUrl?: string;
  url?: string;
  stream?: string;
  group?: string;
  bucket?: string;
  prefix?: string;
  region?: string;
  endpoint?: string;
  credentials?: string;
  visibilityTimeout?: number;
  listEvery?: number;
  idHeader?: string;
  signature?: WebhookScheme;
  secret?: string;
  header?: string;
  tolerance?: number;
  batchSize?: number;
  batchWindow?: number;
  filter?: string[];
  parallelism?: number;
  orderingKey?: string;
  bisect?: boolean;
  maxAttempts?: number;
  backoff?: number;
  backoffMax?: number;
  maxAge?: number;
  onFailure?: Destination;
  start?: string;
}

/** Options of `update`, which may take a field away as well. */
export interface EventSourceUpdateOptions extends Omit<EventSourceOptions, "orderingKey" | "onFailure"> {
  orderingKey?: string | false;
  onFailure?: Destination | false;
}

const collect = (value: string, others: string[] = []): string[] => [...others, value];

/** Adds the options that `create` and `update` share. */
export function addEventSourceOptions(command: Command): Command {
  command
    .option("--from <json>", "all fields as JSON, @file, or - for standard input; other options go over it")
    .option("--fn <ref>", "what to run: name, name@alias or name@version")
    .option("--topic <topic>", "codeq: the topic functions publish to")
    .option("--queue-url <url>", "sqs, and s3 with notifications: address of the queue")
    .option("--url <url>", "redis_stream: redis://host:port")
    .option("--stream <name>", "redis_stream: key of the stream; kinesis: name of the stream")
    .option("--group <name>", "redis_stream: consumer group (sous-NAMESPACE-NAME)")
    .option("--bucket <name>", "s3: the bucket; without --queue-url it is listed")
    .option("--prefix <prefix>", "s3: only keys that begin so")
    .option("--region <region>", "sqs, kinesis, s3")
    .option("--endpoint <url>", "sqs, kinesis, s3: of a server that is not AWS itself")
    .option("--credentials <secret>", "name of the secret with the keys or the password")
    .option("--visibility-timeout <time>", "sqs: how long a message is hidden at a time (30s)", parseSeconds)
    .option("--list-every <time>", "s3 without --queue-url: pause between two listings (60s)", parseSeconds)
    .option("--id-header <name>", "webhook: header with the sender's own id; the same id runs once")
    .option(
      "--signature <scheme>",
      `webhook: ${WEBHOOK_SCHEMES.join(", ")}; without one senders need a token`,
      oneOf(WEBHOOK_SCHEMES),
    )
    .option("--secret <name>", "webhook: name of the secret of --signature")
    .option("--header <name>", "webhook, hmac-sha256: header of the signature (x-signature)")
    .option("--tolerance <time>", "webhook: how far from now a signed time may be (5m)", parseSeconds)
    .option("--batch-size <n>", "most messages in a call (10; webhook 1)", wholeNumber(1, 1000))
    .option("--batch-window <time>", "how long a call waits to be full, as 500ms or 5s (0)", parseDuration)
    .option("--filter <json>", "EventBridge pattern; may be given again, one has to match", collect)
    .option("--parallelism <n>", "calls at a time, of each shard where there are shards", wholeNumber(1, 64))
    .option("--ordering-key <path>", "as body.order.id: messages with one value run in order")
    .addOption(new Option("--bisect", "halve failed calls until the bad message is alone (the default)"))
    .addOption(new Option("--no-bisect", "a call stands and falls as one"))
    .option(
      "--max-attempts <n>",
      "attempts of a message (3); 0: the queue's own policy, sqs",
      wholeNumber(0, 20),
    )
    .option("--backoff <time>", "pause before the second attempt, at most; it doubles (1s)", parseDuration)
    .option("--backoff-max <time>", "what the pause between attempts grows to (1m)", parseDuration)
    .option("--max-age <time>", "older messages are given up, as 1h (7d)", parseDuration)
    .option(
      "--on-failure <destination>",
      "told of messages given up: function:NAME@REF, topic:NAME or a URL",
      parseDestination,
    )
    .option(
      "--start <where>",
      "streams and listings: latest, trim_horizon, or a time as 2026-11-28T02:00:00Z",
    );
  return addDeliveryOptions(command);
}

/** `--type`, which only `create` has. */
export const addTypeOption = (command: Command): Command =>
  command.option("--type <type>", EVENT_SOURCE_TYPES.join(", "), oneOf(EVENT_SOURCE_TYPES));

/** What takes a field away, which only `update` has. */
export const addRemovalOptions = (command: Command): Command =>
  command
    .addOption(new Option("--no-ordering-key", "messages run in any order"))
    .addOption(new Option("--no-on-failure", "the destination of the function's version is told"));

/** @returns the options that give something, and the fields that are taken away */
export function splitRemovals({ orderingKey, onFailure, ...rest }: EventSourceUpdateOptions): {
  given: EventSourceOptions;
  removed: Pick<PatchEventSourceBody, "ordering_key" | "on_failure">;
} {
  return {
    given: {
      ...rest,
      ...(typeof orderingKey === "string" ? { orderingKey } : {}),
      ...(typeof onFailure === "object" ? { onFailure } : {}),
    },
    removed: {
      ...(orderingKey === false ? { ordering_key: null } : {}),
      ...(onFailure === false ? { on_failure: null } : {}),
    },
  };
}

/** @param type of the source; the options of its part are put there @returns the fields that were given */
export async function readEventSourceOptions(
  options: EventSourceOptions,
  type: EventSourceType | undefined,
  deps: CliDeps,
): Promise<Fields> {
  const fields: Fields = options.from === undefined ? {} : ((await readEvent(options.from, deps)) as Fields);
  const kind = type ?? fields.type;
  const part = partOf(options);
  if (Object.keys(part).length > 0) {
    if (kind === undefined) throw new CliError("--type is missing", { hint: EVENT_SOURCE_TYPES.join(", ") });
    Object.assign(fields, { [kind]: { ...(fields[kind] as object | undefined), ...part } });
  }
  if (options.fn !== undefined) {
    const { name, target } = parseNamedRef(options.fn);
    fields.ref = { function: name, ...target };
  }
  if (options.batchSize !== undefined) fields.batch_size = options.batchSize;
  if (options.batchWindow !== undefined) fields.batch_window_ms = options.batchWindow;
  if (options.parallelism !== undefined) fields.parallelism = options.parallelism;
  if (options.orderingKey !== undefined) fields.ordering_key = options.orderingKey;
  if (options.bisect !== undefined) fields.bisect_on_error = options.bisect;
  const retry = defined({
    max_attempts: options.maxAttempts,
    backoff_ms: options.backoff,
    backoff_max_ms: options.backoffMax,
  });
  if (Object.keys(retry).length > 0) fields.retry = { ...fields.retry, ...retry };
  if (options.maxAge !== undefined) fields.max_record_age_ms = options.maxAge;
  const onFailure = readDestination(options.onFailure, options);
  if (onFailure !== undefined) fields.on_failure = onFailure;
  if (options.start !== undefined) fields.start_position = startOf(options.start);
  if (options.filter !== undefined) {
    const patterns = await Promise.all(options.filter.map((text) => readEvent(text, deps)));
    fields.filters = patterns as NonNullable<Fields["filters"]>;
  }
  return fields;
}

/** What stands under the name of the type. */
function partOf(options: EventSourceOptions): Record<string, unknown> {
  const { topic, queueUrl, url, stream, group, bucket, prefix, region, endpoint, credentials } = options;
  const { signature, secret, header, tolerance } = options;
  const part: Record<string, unknown> = defined({
    topic,
    queue_url: queueUrl,
    url,
    stream,
    group,
    bucket,
    prefix,
    region,
    endpoint,
    credentials,
    visibility_timeout_seconds: options.visibilityTimeout,
    list_every_seconds: options.listEvery,
    id_header: options.idHeader,
  });
  const details = defined({ header, tolerance_seconds: tolerance });
  if (signature === undefined && secret === undefined && Object.keys(details).length === 0) return part;
  if (signature === undefined || secret === undefined) {
    throw new CliError("--signature and --secret go together, and with what is said of them", {
      hint: "Write --signature github --secret hub-key.",
    });
  }
  part["signature"] = { scheme: signature, secret, ...details };
  return part;
}

function startOf(text: string): NonNullable<Fields["start_position"]> {
  if (text === "latest" || text === "trim_horizon") return text;
  const at_ms = Date.parse(text);
  if (!Number.isNaN(at_ms)) return { at_ms };
  throw new CliError(`--start ${text} is not latest, trim_horizon or a time`, {
    hint: "Write a time as 2026-11-28T02:00:00Z.",
  });
}
