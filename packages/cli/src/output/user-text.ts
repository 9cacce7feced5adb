import type { UserRecord } from "@sous/contract";
import type { Output } from "./output.ts";
import { formatFields } from "./table.ts";
import { formatTime } from "./units.ts";

/** Prints a user. */
export function printUser(output: Output, user: UserRecord): void {
  output.data(user, () =>
    formatFields([
      ["name", user.name],
      ["id", user.user_id],
      ["display name", user.display_name],
      ["roles", user.roles.join(",")],
      ["state", user.state],
      ["created", formatTime(user.created_at_ms)],
      ["updated", formatTime(user.updated_at_ms)],
    ]),
  );
}
