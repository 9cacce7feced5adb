import { LIMITS, PlatformError } from "@sous/contract";
import type { FunctionKey, KvScope } from "./store.ts";

const KIND = /^[a-z][a-z0-9-]{0,31}$/;
const SCOPE = /^[A-Za-z0-9_-]{1,64}$/;
const NAME = /^[A-Za-z0-9_.:@/-]{1,128}$/;

/** @throws CS_VALIDATION_FAILED for a kind of resources with a name that no driver could keep */
export function checkKind(kind: string): void {
  if (!KIND.test(kind)) throw badName("kind", kind, "1–32 of a-z 0-9 -, a letter first");
}

/** @throws CS_VALIDATION_FAILED for a kind or scope that no driver could keep */
export function checkScope(kind: string, { tenant, namespace }: KvScope): void {
  checkKind(kind);
  for (const [what, text] of Object.entries({ tenant, namespace })) {
    if (!SCOPE.test(text)) throw badName(what, text, "1–64 of A-Z a-z 0-9 _ -");
  }
}

/** @throws CS_VALIDATION_FAILED for a kind or key that no driver could keep */
export function checkResource(kind: string, key: FunctionKey): void {
  checkScope(kind, key);
  if (!NAME.test(key.name)) throw badName("name", key.name, "1–128 of A-Z a-z 0-9 _ . : @ / -");
}

/** @throws CS_PAYLOAD_TOO_LARGE, CS_VALIDATION_FAILED for a record that UTF-8 cannot hold */
export function checkRecord(kind: string, { namespace, name }: FunctionKey, recordJson: string): void {
  if (!recordJson.isWellFormed()) {
    throw new PlatformError("CS_VALIDATION_FAILED", "A record must be well-formed Unicode; encode it first");
  }
  const bytes = Buffer.byteLength(recordJson);
  if (bytes <= LIMITS.resourceRecordBytesMax) return;
  throw new PlatformError(
    "CS_PAYLOAD_TOO_LARGE",
    `The record of ${kind} ${namespace}/${name} has ${bytes} bytes; at most ${LIMITS.resourceRecordBytesMax} are kept`,
  );
}

const badName = (what: string, text: string, rule: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `${what} ${JSON.stringify(text.slice(0, 200))} must be ${rule}`);
