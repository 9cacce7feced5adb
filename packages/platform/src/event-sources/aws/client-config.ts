import { PlatformError } from "@sous/contract";
import type { Egress } from "../../powers/create-egress.ts";
import type { AdapterContext } from "../adapter.ts";
import { createCheckedHandler } from "./checked-handler.ts";

/** Longer than the longest poll. */
const TIMEOUT_MS = 30_000;

/** How a source of AWS is reached. */
export interface AwsPart {
  region?: string;
  endpoint?: string;
  credentials: string;
}

/**
 * @param address of a queue, which may name the region
 * @returns the settings of an official client: keys from the source's secret and nowhere else, the guarded transport
 * @throws CS_SECRET_NOT_FOUND, CS_VALIDATION_FAILED for a secret that holds no keys
 */
export async function awsClientConfig(
  { egress, secret, source }: AdapterContext & { egress: Pick<Egress, "fetch"> },
  { region, endpoint, credentials }: AwsPart,
  address?: string,
) {
  const keys = keysOf(credentials, await secret(credentials));
  const named = /^https?:\/\/[a-z0-9-]+\.([a-z0-9-]+)\.amazonaws\.com/.exec(address ?? "")?.[1];
  return {
    region: region ?? named ?? "us-east-1",
    credentials: keys,
    // Our own back-off does the rest.
    maxAttempts: 2,
    requestHandler: createCheckedHandler(egress, source.tenant, TIMEOUT_MS),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

function keysOf(name: string, text: string) {
  const problem = `secret ${name} has to be JSON with access_key_id and secret_access_key, and session_token where there is one`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new PlatformError("CS_VALIDATION_FAILED", problem, { cause });
  }
  const { access_key_id, secret_access_key, session_token } = (value ?? {}) as Record<string, unknown>;
  if (typeof access_key_id !== "string" || typeof secret_access_key !== "string") {
    throw new PlatformError("CS_VALIDATION_FAILED", problem);
  }
  return {
    accessKeyId: access_key_id,
    secretAccessKey: secret_access_key,
    ...(typeof session_token === "string" ? { sessionToken: session_token } : {}),
  };
}
