import { PlatformError } from "@sous/contract";
import type { SecretReader } from "../secrets/secret-vault.ts";
import { addressOf, withoutDot } from "./allow-host.ts";
import type { EgressRequest } from "./create-egress.ts";
import type { Headers } from "./egress-headers.ts";
import {
  type GrantedSecret,
  PLACEHOLDER_PREFIX,
  PLACEHOLDERS,
  type VersionSecrets,
} from "./version-secrets.ts";

const CALL = "cs.http.fetch";
const VALUE = /^[\t\x20-\x7e\x80-\xff]{1,16384}$/;
const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2})$/i;

export interface FillRequest {
  secrets: VersionSecrets;
  reader: SecretReader;
  /** Where this hop goes, already judged. */
  url: URL;
  /** As the function gave them; not changed. */
  headers: Headers;
  /** 0 for the call itself, then one for each redirect. */
  hop: number;
}

/**
 * Puts the values of secrets into the headers of one hop in place of their placeholders. A header whose secret is
 * not for this host stays behind when a redirect leads there; a call that starts there is refused.
 * @returns other headers; what the function gave keeps its placeholders for the next hop
 * @throws CS_RUNTIME_CAPABILITY_DENIED, CS_SECRET_NOT_FOUND, CS_SECRET_UNAVAILABLE
 */
export async function fillSecrets(request: FillRequest): Promise<Headers> {
  const filled: Headers = Object.create(null) as Headers;
  for (const [name, value] of Object.entries(request.headers)) {
    const [, inside] = BASIC.exec(value) ?? [];
    const text = inside === undefined ? value : Buffer.from(inside, "base64").toString("latin1");
    if (!text.includes(PLACEHOLDER_PREFIX)) {
      filled[name] = value;
      continue;
    }
    const put = await fillText(request, name, text);
    if (put === undefined) continue;
    filled[name] = inside === undefined ? put : `Basic ${Buffer.from(put, "latin1").toString("base64")}`;
  }
  return filled;
}

/** @returns the text with values in it, or `undefined` where the header has to stay behind */
async function fillText(request: FillRequest, name: string, text: string): Promise<string | undefined> {
  const { secrets, reader, url, hop } = request;
  const values = new Map<string, string>();
  for (const [placeholder] of text.matchAll(PLACEHOLDERS)) {
    const secret = secrets.behind(placeholder);
    if (secret === undefined) throw denied("the placeholder of a secret is not one of this version's");
    const refusal = refusalOf(secret, name, url);
    if (refusal !== undefined && hop > 0) return undefined;
    if (refusal !== undefined) throw denied(refusal);
    const value = (await reader.read(secret.place)).trim();
    secrets.used(secret, value);
    if (!VALUE.test(value)) {
      throw new PlatformError(
        "CS_SECRET_UNAVAILABLE",
        `${CALL}: the secret ${secret.place.name} cannot stand in a header; it holds line breaks or is too long`,
      );
    }
    values.set(placeholder, value);
  }
  return text.replaceAll(PLACEHOLDERS, (placeholder) => values.get(placeholder) ?? placeholder);
}

function refusalOf({ place, bindings }: GrantedSecret, header: string, url: URL): string | undefined {
  const host = withoutDot(url.hostname);
  const here = bindings.filter(({ covers }) => covers(host));
  if (here.length === 0)
    return `the secret ${place.name} is not for ${host}; bind it to that host in the config`;
  if (!here.some((binding) => binding.header === undefined || binding.header === header)) {
    return `the secret ${place.name} is not for the header ${header}`;
  }
  // Literal addresses and localhost are this machine's or the operator's own network, where he opened it.
  if (url.protocol === "https:" || host === "localhost" || addressOf(host) !== undefined) return undefined;
  return `the secret ${place.name} goes over https only`;
}

/** @throws CS_RUNTIME_CAPABILITY_DENIED for a placeholder where none is replaced: in the address or the body */
export function refusePlaceholders({ url, body }: Pick<EgressRequest, "url" | "body">): void {
  if (!url.includes(PLACEHOLDER_PREFIX) && body?.includes(PLACEHOLDER_PREFIX) !== true) return;
  throw denied("a secret that is bound to a host may stand in headers only");
}

const denied = (message: string): PlatformError =>
  new PlatformError("CS_RUNTIME_CAPABILITY_DENIED", `${CALL}: ${message}`);
