import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export interface InvokeAnswer {
  activation_id: string;
  status: string;
  result: {
    statusCode: number;
    headers: Record<string, string>;
    body: string;
    isBase64Encoded: boolean;
  } | null;
  error?: { type: string; code: string; message: string; stack?: string };
  duration_ms: number;
}

export interface FunctionSource {
  name: string;
  files: Record<string, string>;
  tenant?: string;
  config?: Record<string, unknown>;
  alias?: string;
}

const ADMIN_ROLES = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["admin"],
  invoke_cadence_roles: ["admin"],
};

/** What runs functions is a gateway's, everything else the control plane's. */
const RUNS = /^\/v1\/web\/|^\/v1\/[^?]*:(invoke|enqueue)$/;

/**
 * A client of the HTTP API, as thin as a test needs it.
 * @param gateways where functions are run, one after the other (the same process)
 */
export function createApi(url: string, token?: string, gateways: readonly string[] = [url]) {
  let runs = 0;
  const serverOf = (path: string): string =>
    RUNS.test(path) ? (gateways[runs++ % gateways.length] as string) : url;
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };

  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const json: Record<string, string> = sent === undefined ? {} : { "content-type": "application/json" };
    return await fetch(serverOf(path) + path, {
      method,
      headers: { ...authorization, ...json, ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    });
  }

  async function expect<T>(
    status: number,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<T> {
    const response = await call(method, path, body, headers);
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  const scope = (tenant = "t_default"): string => `/v1/tenants/${tenant}/namespaces/default/functions`;

  async function publish(source: FunctionSource): Promise<{ version: number; sha256: string }> {
    const base = `${scope(source.tenant)}/${source.name}`;
    const files = Object.fromEntries(
      Object.entries(source.files).map(([path, text]) => [path, Buffer.from(text).toString("base64")]),
    );
    const draft = await expect<{ draft_id: string }>(200, "PUT", `${base}/draft`, { files });
    const config = { authz: ADMIN_ROLES, ...source.config };
    return await expect(201, "POST", `${base}/versions`, {
      draft_id: draft.draft_id,
      config,
      alias: source.alias ?? "prod",
    });
  }

  async function deploy(source: FunctionSource): Promise<{ version: number; sha256: string }> {
    const manifest = JSON.parse(source.files["manifest.json"] ?? "{}") as {
      runtime: string;
      entry: string;
      handler: string;
    };
    const { runtime, entry, handler } = manifest;
    await expect(201, "POST", scope(source.tenant), { name: source.name, runtime, entry, handler });
    return await publish(source);
  }

  async function invoke(
    name: string,
    event: unknown,
    options: { tenant?: string; ref?: unknown } = {},
  ): Promise<InvokeAnswer> {
    const body = { ref: options.ref ?? { alias: "prod" }, mode: "sync", event };
    return await expect(200, "POST", `${scope(options.tenant)}/${name}:invoke`, body);
  }

  async function enqueue(name: string, event: unknown, tenant?: string): Promise<Response> {
    return await call("POST", `${scope(tenant)}/${name}:invoke`, {
      ref: { alias: "prod" },
      mode: "async",
      event,
    });
  }

  async function activation(
    id: string,
    tenant = "t_default",
  ): Promise<Record<string, unknown> & { status: string }> {
    return await expect(200, "GET", `/v1/tenants/${tenant}/activations/${id}`);
  }

  return { url, call, expect, scope, publish, deploy, invoke, enqueue, activation };
}

export type Api = ReturnType<typeof createApi>;

/** @returns a manifest with everything denied, as text */
export function manifest(
  overrides: { limits?: Record<string, number>; [field: string]: unknown } = {},
): string {
  const { limits, ...rest } = overrides;
  return JSON.stringify({
    schema: "cs.function.script.v1",
    runtime: "cs-js",
    entry: "function.js",
    handler: "default",
    limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency: 10, ...limits },
    capabilities: {},
    ...rest,
  });
}

/** @returns the text files of a folder by their path in it */
export function readFolder(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files[relative(folder, path).split("\\").join("/")] = readFileSync(path, "utf8");
  }
  return files;
}

/** Waits until a condition holds. @throws when it does not within the time */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what: string,
  timeoutMs = 30_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
