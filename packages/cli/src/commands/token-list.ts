import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs token list`: the tenant's API tokens, without the tokens themselves. */
export const registerTokenList: Register = (parent, deps) => {
  addListOptions(parent.command("list").description("list the API tokens of the tenant")).action(
    async (options: ListOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const page = await api.listTokens(itemsMaxOf(options));
      const nowMs = deps.now();
      output.data(page, () =>
        formatTable(
          ["TOKEN", "SUBJECT", "USER", "ROLES", "CREATED", "STATE"],
          page.items.map((item) => [
            item.token_id,
            item.sub,
            item.user_id ?? "-",
            item.roles.join(","),
            formatTime(item.created_at_ms),
            stateOf(item, nowMs),
          ]),
          "no tokens",
        ),
      );
      noteMore(output, page);
    },
  );
};

function stateOf(
  token: { revoked_at_ms: number | null; expires_at_ms: number | null },
  nowMs: number,
): string {
  if (token.revoked_at_ms !== null) return "revoked";
  if (token.expires_at_ms === null) return "active";
  return token.expires_at_ms <= nowMs ? "expired" : `until ${formatTime(token.expires_at_ms)}`;
}
