import type { VersionRecord } from "@sous/contract";
import { buildBundle } from "../bundle/build-bundle.ts";
import { sampleFiles } from "../bundle/bundle-samples.fixture.ts";
import { mergeVersionConfig } from "../control/merge-version-config.ts";
import type { IngressRequest } from "./ingress.ts";

const KEY = { tenant: "t_default", namespace: "default", name: "work" };
const bundle = buildBundle(sampleFiles({}));
const VERSION: VersionRecord = {
  version: 1,
  sha256: bundle.sha256,
  size_bytes: 1,
  runtime: "cs-js",
  entry: "function.js",
  handler: "default",
  config: mergeVersionConfig(bundle.manifest, {}, KEY),
  published_at_ms: 1,
  published_by: "nobody",
};
/** @returns a checked call of function `work`, with everything made up unless given */
export const ingressRequest = (fields: Partial<IngressRequest> = {}): IngressRequest => ({
  requestId: "req_1",
  ...KEY,
  refText: "latest",
  target: undefined,
  version: VERSION,
  principal: { sub: "somebody", roles: [] },
  trigger: { type: "api", source: {} },
  eventJson: "1",
  timeoutMs: 3000,
  idempotencyKey: undefined,
  delayMs: undefined,
  traceparent: undefined,
  depth: 0,
  ...fields,
});
