import type { RekeyReply } from "@sous/contract";
import type { Command } from "commander";
import type { ApiClient } from "../client/api-client.ts";
import { EXIT } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** More than two walks are needed only while others set secrets with an older key. */
const WALKS_MAX = 10;

/** `cs secret rekey`: encrypts the secrets of all tenants with the current key; to run again after any interruption. */
export const registerSecretRekey: Register = (parent, deps) => {
  parent
    .command("rekey")
    .description("encrypt the secrets of all tenants with the current key; may be run again at any time")
    .option("--new-key", "make a new key first, where the key is the file secrets.key in the data folder")
    .action(async ({ newKey = false }: { newKey?: boolean }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      let resealed = 0;
      const tell = (part: Walk): void =>
        output.note(`looked at ${part.seen}, ${resealed + part.resealed} encrypted anew`);
      let walk = await walkOver(api, newKey, tell);
      // What was set with an older key behind a walk's back is found by the next one.
      for (let walks = 1; walk.resealed > 0 && walks < WALKS_MAX; walks++) {
        resealed += walk.resealed;
        walk = await walkOver(api, false, tell);
      }
      resealed += walk.resealed;
      const { key_id, seen, unreadable } = walk;
      output.data({ key_id, seen, resealed, unreadable }, () =>
        unreadable.length > 0
          ? `${unreadable.length} of ${seen} secrets have another key than ${key_id}, and stay as they are`
          : `all ${seen} secrets have the key ${key_id}; ${resealed} were encrypted anew`,
      );
      for (const { tenant, namespace, message } of unreadable)
        output.warn(`${tenant}/${namespace}: ${message}`);
      if (walk.resealed > 0) {
        output.warn("secrets are still set with an older key: restart what has it first, and run this again");
      }
      if (unreadable.length > 0 || walk.resealed > 0) deps.exitWith(EXIT.server);
    });
};

/** What one walk over all secrets came to so far. */
type Walk = Omit<RekeyReply, "next_cursor">;

async function walkOver(api: ApiClient, newKey: boolean, onPart: (walk: Walk) => void): Promise<Walk> {
  const walk: Walk = { key_id: "", seen: 0, resealed: 0, unreadable: [] };
  let next: { new_key?: true; cursor?: string } | undefined = newKey ? { new_key: true } : {};
  while (next !== undefined) {
    const part: RekeyReply = await api.rekeySecrets(next);
    walk.key_id = part.key_id;
    walk.seen += part.seen;
    walk.resealed += part.resealed;
    walk.unreadable.push(...part.unreadable);
    next = part.next_cursor === null ? undefined : { cursor: part.next_cursor };
    if (next !== undefined) onPart(walk);
  }
  return walk;
}
