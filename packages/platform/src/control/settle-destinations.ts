import { type Destination, type Destinations, PlatformError } from "@sous/contract";
import { parseSecretRef, secretRefOf } from "../secrets/secret-ref.ts";
import type { FunctionScope } from "./settle-secrets.ts";

/**
 * Brings the destinations of a config into their long form.
 * @throws CS_VALIDATION_FAILED for a topic of the platform, a URL that cannot be called, a secret of another tenant
 */
export function settleDestinations(wanted: Destinations, scope: FunctionScope): Destinations {
  const settled: Destinations = {};
  for (const name of ["on_success", "on_failure"] as const) {
    const destination = wanted[name];
    if (destination !== undefined) settled[name] = settle(name, destination, scope);
  }
  return settled;
}

function settle(name: string, destination: Destination, scope: FunctionScope): Destination {
  if ("topic" in destination && /^cs(?:\.|$)/i.test(destination.topic)) {
    throw invalid(`${name}: the topic ${destination.topic} is the platform's own; use another`);
  }
  if (!("webhook" in destination)) return destination;
  const { url, secret, ...rest } = destination.webhook;
  const parsed = URL.parse(url);
  if (parsed === null || parsed.username !== "" || parsed.password !== "" || parsed.hash !== "") {
    throw invalid(`${name}: webhook.url must be a URL without user, password and fragment`);
  }
  const port = Number(parsed.port);
  if (parsed.port !== "" && port < 1024 && port !== 80 && port !== 443) {
    throw invalid(`${name}: webhook.url names port ${port}; use 80, 443 or one from 1024 on`);
  }
  if (secret === undefined) return { webhook: { ...rest, url } };
  const place = parseSecretRef(secret.includes("/") ? secret : secretRefOf({ ...scope, name: secret }));
  if (place === undefined) {
    throw invalid(`${name}: secret ${secret} must be a name, or read kv:tenant/namespace/name`);
  }
  if (place.tenant !== scope.tenant) throw invalid(`${name}: secret ${secret} belongs to another tenant`);
  return { webhook: { ...rest, url, secret: secretRefOf(place) } };
}

const invalid = (message: string): PlatformError => new PlatformError("CS_VALIDATION_FAILED", message);
