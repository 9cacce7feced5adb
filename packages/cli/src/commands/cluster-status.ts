import type { ClusterMember, ClusterMembersReply } from "@sous/contract";
import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { formatTable } from "../output/table.ts";
import { formatMs, formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** What a server knows is at most a few heartbeats old; older than this means that its store does not answer. */
const OLD_MS = 15_000;

/** `cs cluster status`: the processes of the cluster, what they are and what they have to do. */
export const registerClusterStatus: Register = (parent, deps) => {
  parent
    .command("status")
    .description("show the processes of the cluster, their load and what they have ready")
    .action(async (_options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const found = await api.listClusterMembers();
      output.data(found, () =>
        formatTable(
          ["MEMBER", "ROLES", "ADDRESS", "VERSION", "STATE", "LOAD", "WARM", "CACHED", "SINCE"],
          found.items.map((member) => [
            member.id,
            member.roles.join(","),
            member.address || "-",
            member.version,
            stateOf(member, found),
            ...workOf(member),
            formatTime(member.started_at_ms),
          ]),
          "no members",
        ),
      );
      // By the server's clock, not by this one.
      const ageMs = found.now_ms - (found.read_at_ms ?? found.now_ms);
      if (ageMs > OLD_MS) {
        const ago = formatMs(ageMs);
        output.warn(`as of ${ago} ago: the server cannot read its store, and goes on with what it last saw`);
      }
    });
};

/** The state, and of a member that is silent for how long. */
function stateOf({ state, seen_at_ms }: ClusterMember, { now_ms }: ClusterMembersReply): string {
  if (state !== "late" && state !== "lost") return state;
  return `${state} (${formatMs(Math.max(0, now_ms - seen_at_ms))})`;
}

/** Load, warm and cached; nothing of a process that runs no functions. */
function workOf({ capacity, running, waiting, warm_versions, cached_bundles }: ClusterMember): string[] {
  if (capacity === 0) return ["-", "-", "-"];
  const load = waiting === 0 ? `${running}/${capacity}` : `${running}+${waiting}/${capacity}`;
  return [load, String(warm_versions), String(cached_bundles)];
}
