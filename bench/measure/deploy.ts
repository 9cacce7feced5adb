const encode = (text: string): string => Buffer.from(text).toString("base64");

export interface DeployOptions {
  url: string;
  token: string;
  name: string;
  code: string;
  tenant?: string;
  maxConcurrency?: number;
  isolation?: "warm" | "shared";
}

/** Creates and publishes a function through the API, alias `prod`. @throws when the API refuses */
export async function deploy(options: DeployOptions): Promise<void> {
  const { url, token, name, code, tenant = "t_default", maxConcurrency = 10, isolation = "warm" } = options;
  const base = `${url}/v1/tenants/${tenant}/namespaces/default/functions`;
  const send = async (method: string, path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(base + path, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const manifest = {
    schema: "cs.function.script.v1",
    runtime: "cs-js",
    entry: "function.js",
    handler: "default",
    limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency },
    capabilities: {},
    isolation,
  };
  await send("POST", "", { name, runtime: "cs-js", entry: "function.js", handler: "default" });
  const files = { "function.js": encode(code), "manifest.json": encode(JSON.stringify(manifest)) };
  const draft = await send("PUT", `/${name}/draft`, { files });
  const config = {
    authz: {
      invoke_http_roles: ["admin"],
      invoke_schedule_roles: ["role:worker"],
      invoke_cadence_roles: ["role:cadence"],
    },
  };
  await send("POST", `/${name}/versions`, { draft_id: draft["draft_id"], config, alias: "prod" });
}
