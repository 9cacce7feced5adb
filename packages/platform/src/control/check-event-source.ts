import {
  EVENT_SOURCE_TYPES,
  type EventSourceRecord,
  type EventSourceType,
  PlatformError,
} from "@sous/contract";
import { compileFilters } from "../events/filter-pattern.ts";
import { settleDestinations } from "./settle-destinations.ts";

const DAY_MS = 24 * 3600 * 1000;

type Defaults = Pick<
  EventSourceRecord,
  | "batch_size"
  | "batch_window_ms"
  | "filters"
  | "parallelism"
  | "bisect_on_error"
  | "retry"
  | "max_record_age_ms"
  | "start_position"
  | "enabled"
>;

/** @returns what a source of a type has where its owner does not say */
export const eventSourceDefaults = (type: EventSourceType): Defaults => ({
  batch_size: type === "webhook" ? 1 : 10,
  batch_window_ms: 0,
  filters: [],
  parallelism: type === "kinesis" ? 1 : 5,
  bisect_on_error: true,
  retry: { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000 },
  max_record_age_ms: 7 * DAY_MS,
  start_position: "latest",
  enabled: true,
});

/**
 * Checks what the schema cannot.
 * @returns the record, its destination in its long form
 * @throws CS_VALIDATION_FAILED
 */
export function checkEventSource(record: EventSourceRecord): EventSourceRecord {
  const { type, ref, retry, filters, tenant, namespace, on_failure, ordering_key, parallelism } = record;
  for (const name of EVENT_SOURCE_TYPES) {
    if (name === type && record[name] === undefined) {
      throw invalid(`an event source of type ${type} needs ${type}, which says what it reads`);
    }
    if (name !== type && record[name] !== undefined)
      throw invalid(`${name} does not go with the type ${type}`);
  }
  if (ref.alias !== undefined && ref.version !== undefined) {
    throw invalid("ref names an alias or a version, not both");
  }
  if (retry.max_attempts === 0 && type !== "sqs") {
    throw invalid("retry.max_attempts of 0 is for sqs only, whose queues have a redrive policy of their own");
  }
  if (record.codeq !== undefined && /^cs(?:\.|$)/i.test(record.codeq.topic)) {
    throw invalid(`the topic ${record.codeq.topic} is the platform's own; use another`);
  }
  if (type === "kinesis" && ordering_key !== undefined && parallelism === 1) {
    throw invalid(
      "ordering_key needs a parallelism above 1: one call at a time keeps the order of the whole shard",
    );
  }
  compileFilters(filters);
  if (on_failure === undefined) return record;
  const scope = { tenant, namespace };
  const settled = settleDestinations({ on_failure }, scope);
  return { ...record, ...settled };
}

const invalid = (message: string): PlatformError => new PlatformError("CS_VALIDATION_FAILED", message);
