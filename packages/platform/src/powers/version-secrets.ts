import { createHmac, type KeyObject } from "node:crypto";
import type { FunctionResult, SecretGrant } from "@sous/contract";
import type { SandboxOutcome } from "@sous/sandbox";
import { parseSecretRef, type SecretPlace } from "../secrets/secret-ref.ts";
import { createHostMatcher, type HostMatcher } from "./allow-host.ts";
import type { SecretGuard } from "./host-powers.ts";
import { createRedactor } from "./redactor.ts";

/** Where a value may go, for a secret that code never sees. */
export interface SecretBinding {
  covers: HostMatcher;
  /** Lower-case; `undefined` for any. */
  header: string | undefined;
}

/** One secret of a version: handed to the code, or, with bindings, put in on the way out. */
export interface GrantedSecret {
  ref: string;
  place: SecretPlace;
  /** Empty for a secret whose value the code gets. */
  bindings: readonly SecretBinding[];
  placeholder: string;
}

/** The secrets of a version in this process: what it may ask for, and what must not get out again. */
export interface VersionSecrets extends SecretGuard {
  /** Whether any of them is bound to a host. */
  readonly hasBound: boolean;
  /** @param name short, or in the long form */
  find(name: string): GrantedSecret | undefined;
  /** @returns the secret a placeholder stands for */
  behind(placeholder: string): GrantedSecret | undefined;
  /** Remembers a value that went to the code or out in a header, so that it is taken out of what comes back. */
  used(secret: GrantedSecret, value: string): void;
}

/** Every placeholder begins so, and none of them is a secret. */
export const PLACEHOLDER_PREFIX = "sous_secret_";
/** Finds placeholders in a text. */
export const PLACEHOLDERS = /sous_secret_[0-9a-f]{40}/g;

/**
 * Reads the grants of a version.
 * @param owner `tenant/namespace/function@version`: placeholders of two versions differ
 * @param salt random for the process, so that nobody can tell a placeholder before he has it
 */
export function createVersionSecrets(
  grants: readonly SecretGrant[],
  owner: string,
  salt: KeyObject,
): VersionSecrets {
  const byName = new Map<string, GrantedSecret>();
  const byPlaceholder = new Map<string, GrantedSecret>();
  for (const grant of grants) {
    const ref = typeof grant === "string" ? grant : grant.name;
    const place = parseSecretRef(ref);
    if (place === undefined) continue;
    const mac = createHmac("sha256", salt).update(`${owner}\n${ref}`).digest("hex");
    const bindings = [...(byName.get(ref)?.bindings ?? [])];
    if (typeof grant !== "string") {
      bindings.push({ covers: createHostMatcher([grant.host]), header: grant.header?.toLowerCase() });
    }
    const secret = { ref, place, bindings, placeholder: PLACEHOLDER_PREFIX + mac.slice(0, 40) };
    byName.set(ref, secret).set(place.name, secret);
    byPlaceholder.set(secret.placeholder, secret);
  }
  const every = createRedactor();
  const bound = createRedactor();

  return {
    hasBound: [...byName.values()].some(({ bindings }) => bindings.length > 0),
    find: (name) => byName.get(name),
    behind: (placeholder) => byPlaceholder.get(placeholder),
    used({ bindings }, value) {
      // Code trims what was kept with a line break at its end.
      for (const form of [value, value.trim()]) {
        every.add(form);
        if (bindings.length > 0) bound.add(form);
      }
    },
    line: (text) => every.redact(text),
    outcome(outcome) {
      const { error, result } = outcome;
      const clean: SandboxOutcome = { ...outcome };
      if (error !== undefined) {
        clean.error = { ...error, message: every.redact(error.message) };
        if (error.stack !== undefined) clean.error.stack = every.redact(error.stack);
      }
      if (result !== undefined) clean.result = cleanResult(result, (text) => bound.redact(text));
      return clean;
    },
  };
}

function cleanResult(result: FunctionResult, redact: (text: string) => string): FunctionResult {
  const headers = Object.fromEntries(
    Object.entries(result.headers).map(([name, value]) => [name, redact(value)]),
  );
  const clean: FunctionResult = { ...result, headers };
  if (result.cookies !== undefined) clean.cookies = result.cookies.map(redact);
  if (!result.isBase64Encoded) return { ...clean, body: redact(result.body) };
  // A letter a byte: what a header can carry is found, and everything else stays as it is.
  const text = Buffer.from(result.body, "base64").toString("latin1");
  const kept = redact(text);
  return kept === text ? clean : { ...clean, body: Buffer.from(kept, "latin1").toString("base64") };
}
