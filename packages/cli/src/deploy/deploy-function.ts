import type { DraftReply, PowersDiff, VersionConfigInput } from "@sous/contract";
import type { ApiClient } from "../client/api-client.ts";
import { CliError } from "../client/cli-error.ts";
import type { FunctionFolder } from "./function-folder.ts";

export interface DeployOptions {
  api: ApiClient;
  folder: FunctionFolder;
  name: string;
  /** Aliases that point to the new version afterwards; the first changes with the publish itself. */
  aliases: readonly string[];
  config: VersionConfigInput;
  /** Publish nothing where the newest version has the same files and the aliases point to it (false). */
  unlessSame?: boolean;
  /** Approve new powers where the server asks for that (false). */
  approve?: boolean;
}

export interface Deployed {
  name: string;
  version: number;
  sha256: string;
  size_bytes: number;
  aliases: readonly string[];
  /** Whether the function did not exist before. */
  created: boolean;
  /** Whether a version was published; false only with `unlessSame`. */
  published: boolean;
  /** What will not work yet, as the server says. */
  warnings: readonly string[];
  /** What it may do that the version before may not; absent where nothing was published. */
  powers?: PowersDiff;
}

/**
 * Puts a folder into service: creates the function where it is missing, uploads a draft, publishes it and moves
 * the aliases. Callers of an alias see the old version or the new one, nothing between.
 * @throws CliError as the server says
 */
export async function deployFunction(options: DeployOptions): Promise<Deployed> {
  const { api, folder, name, aliases, config } = options;
  const files = Object.fromEntries(
    [...folder.files].map(([path, content]) => [path, content.toString("base64")]),
  );
  let created = false;
  const draft = await api.putDraft(name, files).catch(async (error: unknown) => {
    if (!(error instanceof CliError) || error.code !== "CS_NOT_FOUND") throw error;
    created = await createFunction(api, name, folder);
    return api.putDraft(name, files);
  });
  const same =
    options.unlessSame === true && !created ? await newestIfSame(options, draft.sha256) : undefined;
  if (same !== undefined) {
    return { name, version: same, ...sizeOf(draft), aliases, created, published: false, warnings: [] };
  }
  const [first, ...others] = aliases;
  const approval = options.approve === true ? { approve: true } : {};
  const { version, warnings, powers } = await api.publish(name, {
    draft_id: draft.draft_id,
    config,
    ...(first === undefined ? {} : { alias: first }),
    ...approval,
  });
  for (const alias of others) await api.setAlias(name, alias, { version, ...approval });
  return { name, version, ...sizeOf(draft), aliases, created, published: true, warnings, powers };
}

const sizeOf = ({ sha256, size_bytes }: DraftReply) => ({ sha256, size_bytes });

/** @returns the newest version where it is exactly this bundle and every alias points to it */
async function newestIfSame(options: DeployOptions, sha256: string): Promise<number | undefined> {
  const { api, name } = options;
  const { aliases, latest_version } = await api.getFunction(name);
  if (latest_version === null) return undefined;
  const inPlace = options.aliases.every((alias) =>
    aliases.some((record) => record.alias === alias && record.version === latest_version),
  );
  if (!inPlace) return undefined;
  const newest = await api.getVersion(name, latest_version);
  return newest.sha256 === sha256 ? latest_version : undefined;
}

/** @returns whether it was made now; somebody else may have been quicker */
async function createFunction(api: ApiClient, name: string, folder: FunctionFolder): Promise<boolean> {
  try {
    await api.createFunction({ name, ...folder.manifest });
    return true;
  } catch (error) {
    if (error instanceof CliError && error.code === "CS_CONFLICT") return false;
    throw error;
  }
}
