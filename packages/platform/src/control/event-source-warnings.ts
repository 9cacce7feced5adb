import { type EventSourceRecord, PlatformError, type VersionRecord } from "@sous/contract";
import { requireTriggerRole, triggerRoles } from "../auth/authorize.ts";
import { EVENTS_PRINCIPAL } from "../events/events-principal.ts";
import { refTargetOf } from "../events/ref-target.ts";
import type { ControlContext } from "./control-context.ts";

/** @returns what of an event source will not work by what there is now, a line each */
export async function eventSourceWarnings(
  context: ControlContext,
  record: EventSourceRecord,
): Promise<string[]> {
  const version = await versionOf(context, record);
  const warnings: string[] = [];
  if (version instanceof PlatformError) warnings.push(`nothing is read: ${version.message}`);
  else warnings.push(...roleWarnings(record, version));
  const { tenant, namespace } = record;
  for (const name of secretsOf(record)) {
    if (await context.secrets.has({ tenant, namespace, name })) continue;
    warnings.push(`secret ${name} has no value; set it with \`cs secret set ${name}\``);
  }
  return warnings;
}

/** @returns the version its ref means now, or why there is none */
async function versionOf(
  { catalog }: ControlContext,
  { tenant, namespace, ref }: EventSourceRecord,
): Promise<VersionRecord | PlatformError> {
  try {
    return await catalog.resolve({ tenant, namespace, name: ref.function }, refTargetOf(ref));
  } catch (error) {
    if (error instanceof PlatformError && error.status < 500) return error;
    throw error;
  }
}

function roleWarnings({ ref }: EventSourceRecord, { version, config }: VersionRecord): string[] {
  try {
    requireTriggerRole(EVENTS_PRINCIPAL, triggerRoles(config.authz, "event"));
    return [];
  } catch {
    return [
      `version ${version} of ${ref.function} lets no event source run it, so that nothing is read; ` +
        "publish it with role:worker in invoke_event_roles",
    ];
  }
}

/** The secrets of the namespace a source names. */
function secretsOf({ webhook, sqs, redis_stream, kinesis, s3 }: EventSourceRecord): string[] {
  const names = [
    webhook?.signature?.secret,
    sqs?.credentials,
    redis_stream?.credentials,
    kinesis?.credentials,
    s3?.credentials,
  ];
  return names.filter((name) => name !== undefined);
}
