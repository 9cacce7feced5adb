import {
  createParser,
  type Manifest,
  PlatformError,
  VersionConfig,
  VersionConfigInput,
} from "@sous/contract";
import { sampleManifest } from "../../../packages/platform/src/bundle/bundle-samples.fixture.ts";
import { parseManifest } from "../../../packages/platform/src/bundle/parse-manifest.ts";
import { mergeVersionConfig } from "../../../packages/platform/src/control/merge-version-config.ts";
import { mutateBytes } from "../bytes.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { type Json, mutateJson, smallerJson } from "../json.ts";

interface Input {
  manifest: Json;
  config: Json;
  /** The manifest's text, where not even its JSON is whole. */
  text?: string;
}

const MANIFEST: Json = {
  ...sampleManifest(),
  capabilities: {
    kv: { prefixes: ["orders:", "users/"], ops: ["get", "set"] },
    codeq: { publishTopics: ["jobs.*", "mail"] },
    http: { allowHosts: ["api.example.com", "*.example.org"], timeoutMs: 10_000 },
  },
  isolation: "context",
  budgets: { cpuMs: 100, hostCalls: 10, egressBytes: 1000, openFetches: 2, logBytes: 100 },
} as unknown as Json;

const CONFIG: Json = {
  timeout_ms: 900,
  memory_mb: 32,
  max_concurrency: 2,
  env: { NAME: "value" },
  capabilities: {
    kv: { prefixes: ["orders:1"], ops: ["get"] },
    codeq: { publish_topics: ["jobs.a"] },
    http: { allow_hosts: ["a.example.org"], timeout_ms: 100 },
  },
  authz: { invoke_http_roles: ["public"] },
  secrets: ["kv:t_default/payments/stripe_key"],
  retry: { max_attempts: 2, backoff_ms: 10 },
  isolation: "fresh",
  durability: "strict",
  budgets: { cpu_ms: 50, host_calls: 5, egress_bytes: 10 },
};

const SCOPE = { tenant: "t_default", namespace: "default" };
const MILLISECONDS_MAX = 1000;
const configInput = createParser(VersionConfigInput, "the config");
const versionConfig = createParser(VersionConfig, "the version's config");

/** Manifests and version configs. What is taken is whole, and never allows more than its manifest. */
export const MANIFESTS: FuzzTarget<Input> = {
  name: "manifest",
  async open() {
    return {
      generate(random) {
        const manifest = random.chance(0.8) ? mutateJson(MANIFEST, random) : MANIFEST;
        const config = random.chance(0.8) ? mutateJson(CONFIG, random) : CONFIG;
        if (!random.chance(0.2)) return { manifest, config };
        const text = mutateBytes(Buffer.from(JSON.stringify(manifest)), random).toString("latin1");
        return { manifest, config, text };
      },
      async run(input) {
        const begun = performance.now();
        const complaint = judge(input);
        const spent = performance.now() - begun;
        return complaint ?? (spent > MILLISECONDS_MAX ? `it took ${Math.round(spent)} ms` : undefined);
      },
      *smaller({ manifest, config, text }) {
        if (text !== undefined) yield { manifest, config };
        for (const less of smallerJson(config)) yield { manifest, config: less };
        for (const less of smallerJson(manifest)) yield { manifest: less, config };
      },
      show: (input) => JSON.stringify(input),
      async [Symbol.asyncDispose]() {},
    };
  },
};

function judge({ manifest, config, text }: Input): string | undefined {
  const bytes = text === undefined ? Buffer.from(JSON.stringify(manifest)) : Buffer.from(text, "latin1");
  const files = new Map([
    ["manifest.json", bytes],
    ["function.js", Buffer.from("export default () => 1;")],
  ]);
  let parsed: Manifest;
  let merged: VersionConfig;
  try {
    parsed = parseManifest(files);
    merged = mergeVersionConfig(parsed, configInput.parse(config), SCOPE);
  } catch (error) {
    if (error instanceof PlatformError && error.status === 400) return undefined;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const issue = versionConfig.issues(JSON.parse(JSON.stringify(merged)))[0];
  if (issue !== undefined) return `the config it makes is not valid: ${issue.path} ${issue.message}`;
  return widened(parsed, merged);
}

/** @returns which power is wider than the manifest's, judged anew and not by the code that merges */
function widened(manifest: Manifest, { capabilities, budgets }: VersionConfig): string | undefined {
  const { kv, codeq, http } = manifest.capabilities ?? {};
  const covered = (wanted: readonly string[], granted: readonly string[], wild: (one: string) => string) =>
    wanted.every((one) => granted.some((pattern) => pattern === one || one.startsWith(wild(pattern))));
  if (!covered(capabilities.kv.prefixes, kv?.prefixes ?? [], (prefix) => prefix))
    return "kv.prefixes widened";
  if (!capabilities.kv.ops.every((op) => kv?.ops.includes(op))) return "kv.ops widened";
  const topics = codeq?.publishTopics ?? [];
  const head = (topic: string): string => (topic.endsWith("*") ? topic.slice(0, -1) : `${topic}\u0000`);
  if (!covered(capabilities.codeq.publish_topics, topics, head)) return "codeq.publish_topics widened";
  for (const host of capabilities.http.allow_hosts) {
    const plain = host.toLowerCase().replace(/\.$/, "");
    const granted = (http?.allowHosts ?? []).map((one) => one.toLowerCase().replace(/\.$/, ""));
    const fits = granted.some(
      (one) => one === plain || (one.startsWith("*.") && plain.endsWith(one.slice(1))),
    );
    if (!fits) return `http.allow_hosts widened by ${host}`;
  }
  const { hostCalls, egressBytes, openFetches } = manifest.budgets ?? {};
  if ((budgets?.host_calls ?? 0) > (hostCalls ?? Infinity)) return "budgets.host_calls widened";
  if ((budgets?.egress_bytes ?? 0) > (egressBytes ?? Infinity)) return "budgets.egress_bytes widened";
  if ((budgets?.open_fetches ?? 0) > (openFetches ?? Infinity)) return "budgets.open_fetches widened";
  return undefined;
}
