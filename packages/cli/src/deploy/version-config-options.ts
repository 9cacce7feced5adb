import type { Command } from "commander";
import { BUDGET_OF_FIELD } from "@sous/contract/budgets";
import {
  CLOUDEVENTS_FORMATS,
  type CloudEventsFormat,
  type Destination,
  Isolation,
  type SecretGrant,
  type VersionConfigInput,
} from "@sous/contract";
import { CliError } from "../client/cli-error.ts";
import { commaList, oneOf, wholeNumber } from "../command-context.ts";
import { parseDuration } from "../parse-duration.ts";

/** Options of how destinations are told, as commander gives them. */
export interface DeliveryOptions {
  webhookSecret?: string;
  destinationFormat?: CloudEventsFormat;
}

/** Options of a publish, as commander gives them. */
export interface VersionConfigOptions extends DeliveryOptions {
  timeoutMs?: number;
  memoryMb?: number;
  maxConcurrency?: number;
  isolation?: Isolation;
  budget?: Record<string, number>;
  env?: Record<string, string>;
  secrets?: SecretGrant[];
  invokeHttpRoles?: string[];
  invokeScheduleRoles?: string[];
  invokeCadenceRoles?: string[];
  invokeApiRoles?: string[];
  invokeEventRoles?: string[];
  onSuccess?: Destination;
  onFailure?: Destination;
  maxAttempts?: number;
  backoff?: number;
  backoffMax?: number;
  maxAge?: number;
}

const DESTINATIONS = "function:NAME@REF, topic:NAME or a URL";
/**
 * A role of the scheduler and of event sources themselves: whoever may make a schedule or an event source may run with
 * it what is deployed without role lists.
 */
export const WORKER_ROLE = "role:worker";
/** The role of Cadence workers. */
export const CADENCE_ROLE = "role:cadence";

const roles = (trigger: string): string => `roles that may ${trigger}, with commas; '' for nobody`;

/** Adds the options that set a version's config; what is not given comes from the manifest. */
export function addVersionConfigOptions(command: Command): Command {
  command
    .option("--timeout-ms <ms>", "most time of one activation", wholeNumber(1, 900_000))
    .option("--memory-mb <MiB>", "most memory of one activation", wholeNumber(16, 4096))
    .option("--max-concurrency <n>", "most activations at once in one invoker", wholeNumber(1, 100))
    .option("--isolation <kind>", "warm, context, fresh or shared", oneOf(Isolation.enum))
    .option("--budget <name=value>", "budget such as cpu_ms=500; may be repeated", collectBudget)
    .option("--env <NAME=value>", "environment of the function; may be repeated", collectEnv)
    .option(
      "--secrets <names>",
      "secrets it may use, with commas: NAME for its value, NAME@HOST or NAME@HOST:HEADER to send it there only",
      secretList,
    )
    .option("--invoke-http-roles <roles>", roles("call it over the web"), commaList)
    .option("--invoke-schedule-roles <roles>", roles("call it from a schedule"), commaList)
    .option("--invoke-cadence-roles <roles>", roles("call it as a Cadence activity"), commaList)
    .option("--invoke-api-roles <roles>", roles("call it over the control API"), commaList)
    .option("--invoke-event-roles <roles>", roles("call it from an event source"), commaList)
    .option("--max-attempts <n>", "how often a queued call is tried", wholeNumber(1, 20))
    .option("--backoff <time>", "pause before the second attempt, at most; it doubles", parseDuration)
    .option("--backoff-max <time>", "what the pause between attempts grows to", parseDuration)
    .option("--max-age <time>", "how long a queued call may wait, delays and pauses included", parseDuration)
    .option(
      "--on-success <destination>",
      `told of queued calls that succeeded: ${DESTINATIONS}`,
      parseDestination,
    )
    .option(
      "--on-failure <destination>",
      "told of queued calls that failed for good: the same",
      parseDestination,
    );
  return addDeliveryOptions(command);
}

/** Adds the options that say how destinations are told. */
export const addDeliveryOptions = (command: Command): Command =>
  command
    .option("--webhook-secret <name>", "secret that signs the webhooks told; see cs webhook secret")
    .option(
      "--destination-format <format>",
      `webhooks and topics get CloudEvents 1.0: ${CLOUDEVENTS_FORMATS.join(", ")}; a topic only the latter`,
      oneOf(CLOUDEVENTS_FORMATS),
    );

/**
 * @param defaultRoles role list of every trigger for which none is given; nothing leaves it to the server
 * @returns the config to publish with
 */
export function readVersionConfig(
  options: VersionConfigOptions,
  defaultRoles?: readonly string[],
): VersionConfigInput {
  const authz = defined({
    invoke_http_roles: options.invokeHttpRoles ?? defaultRoles?.slice(),
    invoke_schedule_roles: options.invokeScheduleRoles ?? (defaultRoles && [...defaultRoles, WORKER_ROLE]),
    invoke_cadence_roles: options.invokeCadenceRoles ?? (defaultRoles && [...defaultRoles, CADENCE_ROLE]),
    invoke_api_roles: options.invokeApiRoles ?? defaultRoles?.slice(),
    invoke_event_roles: options.invokeEventRoles ?? (defaultRoles && [...defaultRoles, WORKER_ROLE]),
  });
  const retry = defined({
    max_attempts: options.maxAttempts,
    backoff_ms: options.backoff,
    backoff_max_ms: options.backoffMax,
    max_age_ms: options.maxAge,
  });
  return defined({
    timeout_ms: options.timeoutMs,
    memory_mb: options.memoryMb,
    max_concurrency: options.maxConcurrency,
    isolation: options.isolation,
    budgets: options.budget,
    env: options.env,
    secrets: options.secrets,
    on_success: readDestination(options.onSuccess, options),
    on_failure: readDestination(options.onFailure, options),
    retry: Object.keys(retry).length === 0 ? undefined : retry,
    authz: Object.keys(authz).length === 0 ? undefined : authz,
  });
}

/** A parser of an option: `NAME`, `NAME@HOST` and `NAME@HOST:HEADER`, with commas. */
export function secretList(text: string): SecretGrant[] {
  return commaList(text).map((entry) => {
    const [, name = entry, host, header] = /^([^@]+)@(\[[^\]]*\]|[^:@]+)(?::([^:@]+))?$/.exec(entry) ?? [];
    if (host === undefined) {
      if (!entry.includes("@")) return name;
      throw new CliError(`--secrets ${entry} is not NAME, NAME@HOST or NAME@HOST:HEADER`);
    }
    return header === undefined ? { name, host } : { name, host, header };
  });
}

/** A parser of an option: `function:NAME@REF`, `topic:NAME` or the URL of a webhook. */
export function parseDestination(text: string): Destination {
  if (/^https?:\/\//.test(text)) return { webhook: { url: text } };
  const [, kind, name = ""] = /^(function|topic):(.+)$/.exec(text) ?? [];
  if (kind === "function") return { function: name };
  if (kind === "topic") return { topic: name };
  throw new CliError(`${JSON.stringify(text)} is none of ${DESTINATIONS}`);
}

/** @returns a destination, told as the options of `addDeliveryOptions` say as far as they concern its kind */
export function readDestination(
  destination: Destination | undefined,
  { webhookSecret: secret, destinationFormat: format }: DeliveryOptions,
): Destination | undefined {
  if (destination === undefined || "function" in destination) return destination;
  if ("topic" in destination) {
    if (format === undefined) return destination;
    if (format === "cloudevents-structured") return { ...destination, format };
    throw new CliError(`--destination-format ${format} needs headers, and a message of a topic has none`, {
      hint: "Write --destination-format cloudevents-structured.",
    });
  }
  const { url } = destination.webhook;
  return { webhook: { url, ...defined({ secret, format }) } };
}

function collectEnv(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new CliError(`--env ${text} is not NAME=value`);
  return { ...earlier, [text.slice(0, equals)]: text.slice(equals + 1) };
}

function collectBudget(text: string, earlier: Record<string, number> = {}): Record<string, number> {
  const [, name, value] = /^([a-z_]+)=([0-9]+)$/.exec(text) ?? [];
  const names = Object.values(BUDGET_OF_FIELD);
  if (name === undefined || !names.some((known) => known === name)) {
    throw new CliError(`--budget ${text} is not name=number with a name of ${names.join(", ")}`);
  }
  return { ...earlier, [name]: Number(value) };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves out what is undefined: a field that is present and undefined would not reach the wire either. */
export function defined<T extends object>(fields: T): Defined<T> {
  const kept: Defined<T> = { ...fields };
  for (const key of Object.keys(kept) as (keyof T)[]) if (fields[key] === undefined) delete kept[key];
  return kept;
}
