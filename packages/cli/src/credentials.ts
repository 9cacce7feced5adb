import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { CliError } from "./client/cli-error.ts";

/** What `auth login` remembers: one server, and how to speak to it. */
export interface Credentials {
  api_url: string;
  tenant: string;
  token: string;
  namespace?: string;
  gateway_url?: string;
  tikti_url?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns where credentials lie: `$XDG_CONFIG_HOME/code-sous/auth.json` */
export function credentialsPath(env: Environment): string {
  const base = env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config");
  return join(base, "code-sous", "auth.json");
}

/**
 * @returns the stored credentials, or `undefined` before the first login
 * @throws CliError where the file is damaged, or open to other users
 */
export async function readCredentials(env: Environment): Promise<Credentials | undefined> {
  const path = credentialsPath(env);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new CliError(`cannot read ${path}`, { cause: error, hint: "Mend its permissions, or delete it." });
  }
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new CliError(`${path} can be read by other users`, { hint: `Run \`chmod 600 ${path}\`.` });
  }
  return parseCredentials(text, path);
}

function parseCredentials(text: string, path: string): Credentials {
  const damaged = (cause?: unknown): CliError =>
    new CliError(`${path} is damaged`, { cause, hint: "Run `cs auth login` again." });
  let value: Partial<Record<keyof Credentials, unknown>>;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(error);
  }
  const { api_url, tenant, token } = value ?? {};
  if (typeof api_url !== "string" || typeof tenant !== "string" || typeof token !== "string") throw damaged();
  const optional = Object.fromEntries(
    (["namespace", "gateway_url", "tikti_url"] as const).flatMap((key) => {
      const field = value[key];
      return typeof field === "string" ? [[key, field]] : [];
    }),
  );
  return { api_url, tenant, token, ...optional };
}

/** Stores credentials for this user alone; the file is never half written and never open to others. */
export async function writeCredentials(env: Environment, credentials: Credentials): Promise<string> {
  const path = credentialsPath(env);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: "w" });
  await chmod(draft, 0o600);
  await rename(draft, path);
  return path;
}
