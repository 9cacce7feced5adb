import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { SecretGrant } from "@sous/contract";
import type { ApiClient } from "../client/api-client.ts";
import { CliError } from "../client/cli-error.ts";
import { deployFunction } from "../deploy/deploy-function.ts";
import { type FunctionFolder, hasManifest, readFunctionFolder } from "../deploy/function-folder.ts";
import { syntaxWarnings } from "../deploy/syntax-warnings.ts";
import { CADENCE_ROLE, WORKER_ROLE } from "../deploy/version-config-options.ts";

/** What happens in a session, as it is told to people and programs. */
export type DevEvent =
  | {
      type: "deployed";
      function: string;
      version: number;
      /** Whether a version was published; false when the newest one is the same. */
      changed: boolean;
      duration_ms: number;
      warnings: string[];
    }
  | { type: "failed"; function: string; folder: string; message: string }
  | { type: "removed"; function: string; folder: string }
  | { type: "watch_failed"; folder: string; message: string };

export interface FolderDeployerOptions {
  api: ApiClient;
  /** Aliases that follow every deploy. */
  aliases: readonly string[];
  /** Secrets that every function here may use (none). */
  secrets?: readonly SecretGrant[];
  report(event: DevEvent): void;
}

export interface DeployRequest {
  /** Absolute path of the folder. */
  path: string;
  /** When the change was seen, on the clock of `performance.now()`. */
  sinceMs: number;
  /** Publish even where nothing changed. */
  force: boolean;
}

/** Keeps functions in service as their folders say; each is called after its folder. */
export interface FolderDeployer {
  /** Functions in service with their newest version. */
  readonly versions: ReadonlyMap<string, number>;
  /** Folders that are functions, by the function's name. */
  readonly folders: ReadonlyMap<string, string>;
  /** Brings one folder into service; never throws, what fails is reported and the old version stays. */
  deploy(request: DeployRequest): Promise<void>;
}

/** Local development: whoever is let in at all may use every trigger. */
const ADMIN_ONLY = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["admin", WORKER_ROLE],
  invoke_cadence_roles: ["admin", CADENCE_ROLE],
  invoke_api_roles: ["admin"],
  invoke_event_roles: ["admin", WORKER_ROLE],
};

export function createFolderDeployer(options: FolderDeployerOptions): FolderDeployer {
  const { api, aliases, secrets = [], report } = options;
  const versions = new Map<string, number>();
  const folders = new Map<string, string>();
  const signatures = new Map<string, string>();

  function claimName(name: string, path: string): void {
    const owner = folders.get(name);
    if (owner !== undefined && owner !== path) {
      throw new CliError(`${owner} is already the function ${name}; rename one of the folders`);
    }
    folders.set(name, path);
  }

  async function bringIn({ path, sinceMs, force }: DeployRequest, name: string): Promise<void> {
    claimName(name, path);
    const folder = await readFunctionFolder(path);
    const signature = signatureOf(folder);
    if (!force && signatures.get(path) === signature) return;
    const warnings = syntaxWarnings(folder);
    const config = { authz: ADMIN_ONLY, ...(secrets.length > 0 && { secrets: [...secrets] }) };
    // The newest version may have the same files and other secrets.
    const unlessSame = !force && secrets.length === 0;
    const deployed = await deployFunction({ api, folder, name, aliases, config, unlessSame });
    signatures.set(path, signature);
    versions.set(name, deployed.version);
    report({
      type: "deployed",
      function: name,
      version: deployed.version,
      changed: deployed.published,
      duration_ms: performance.now() - sinceMs,
      warnings: [...warnings, ...deployed.warnings],
    });
  }

  return {
    versions,
    folders,
    async deploy(request) {
      const { path } = request;
      const name = basename(path);
      try {
        if (await hasManifest(path)) return await bringIn(request, name);
        if (!signatures.delete(path)) return;
        folders.delete(name);
        report({ type: "removed", function: name, folder: path });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        report({ type: "failed", function: name, folder: path, message });
      }
    },
  };
}

/** Tells whether anything changed: cheaper than asking the server, and quiet when a save changes nothing. */
function signatureOf(folder: FunctionFolder): string {
  const hash = createHash("sha256");
  for (const [path, content] of folder.files) hash.update(`${path}\0${content.length}\0`).update(content);
  return hash.digest("hex");
}
