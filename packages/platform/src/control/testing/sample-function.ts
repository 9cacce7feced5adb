import type { ActivationRecord, DraftReply, Manifest, VersionConfigInput } from "@sous/contract";
import { newActivationId } from "@sous/contract";
import type { startControl } from "./start-control.ts";

export const FUNCTIONS = "/v1/tenants/t_default/namespaces/default/functions";
export const ACTIVATIONS = "/v1/tenants/t_default/activations";

type Started = Awaited<ReturnType<typeof startControl>>;

const MANIFEST: Manifest = {
  schema: "cs.function.script.v1",
  runtime: "cs-js",
  entry: "function.js",
  handler: "default",
  limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency: 10 },
};

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** @returns the files of a small function as a draft's body */
export function sampleFiles(code = "export default () => 'ok'", manifest: Partial<Manifest> = {}) {
  return {
    files: {
      "function.js": base64(code),
      "manifest.json": base64(JSON.stringify({ ...MANIFEST, ...manifest })),
    },
  };
}

/** Uploads a draft. @returns its id */
export async function upload(
  control: Started,
  name: string,
  manifest: Partial<Manifest> = {},
): Promise<string> {
  const draft = await control.call<DraftReply>(
    "PUT",
    `${FUNCTIONS}/${name}/draft`,
    sampleFiles(undefined, manifest),
  );
  return draft.body.draft_id;
}

/** Creates a function where it is missing and publishes one more version. */
export async function deploy(
  control: Started,
  name: string,
  config: VersionConfigInput = {},
  alias?: string,
) {
  await control.call("POST", FUNCTIONS, { name });
  const draft_id = await upload(control, name);
  return control.call("POST", `${FUNCTIONS}/${name}/versions`, {
    draft_id,
    config,
    ...(alias ? { alias } : {}),
  });
}

/** @returns a record of an activation, queued unless told otherwise */
export function activation(over: Partial<ActivationRecord> = {}): ActivationRecord {
  return {
    activation_id: newActivationId(),
    request_id: "req_12345678",
    tenant: "t_default",
    namespace: "default",
    function: "hello",
    ref: { function: "hello", version: 1 },
    resolved_version: 1,
    trigger: { type: "api", source: {} },
    principal: { sub: "anonymous", roles: ["admin"] },
    mode: "async",
    status: "queued",
    attempt: 1,
    attempts: [],
    enqueued_at_ms: Date.now(),
    start_ms: null,
    end_ms: null,
    duration_ms: null,
    deadline_ms: 0,
    result_truncated: false,
    cold: false,
    cold_reason: "none",
    tier: "isolate",
    sandbox_id: "",
    timings: {
      queue_ms: 0,
      placement_ms: 0,
      boot_ms: 0,
      fetch_ms: 0,
      init_ms: 0,
      handler_ms: 0,
      host_calls_ms: 0,
    },
    cpu_ms: 0,
    memory_peak_bytes: 0,
    log_bytes: 0,
    logs_truncated: false,
    host_calls: 0,
    egress_bytes: 0,
    ...over,
  };
}
