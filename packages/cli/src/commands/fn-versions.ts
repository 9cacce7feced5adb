import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { formatTable } from "../output/table.ts";
import { formatBytes, formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs fn versions NAME`: what was published, newest first. */
export const registerFnVersions: Register = (parent, deps) => {
  const command = parent
    .command("versions")
    .description("list the versions of a function, newest first")
    .argument("<name>", "name of the function");
  addListOptions(command).action(async (name: string, options: ListOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const page = await api.listVersions(name, itemsMaxOf(options));
    output.data(page, () =>
      formatTable(
        ["VERSION", "SHA256", "SIZE", "TIMEOUT", "MEMORY", "PUBLISHED", "BY"],
        page.items.map((item) => [
          `v${item.version}`,
          item.sha256.slice(0, 12),
          formatBytes(item.size_bytes),
          `${item.config.timeout_ms} ms`,
          `${item.config.memory_mb} MiB`,
          formatTime(item.published_at_ms),
          item.published_by,
        ]),
        `${name} has no version; \`cs fn deploy\` publishes one`,
      ),
    );
    noteMore(output, page);
  });
};
