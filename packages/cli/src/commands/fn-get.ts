import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { curlLine } from "../deploy/web-url.ts";
import { formatFields } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs fn get NAME`: one function, its aliases and its newest version. */
export const registerFnGet: Register = (parent, deps) => {
  parent
    .command("get")
    .description("show one function")
    .argument("<name>", "name of the function")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output, scope } = await createContext(command, deps);
      const reply = await api.getFunction(name);
      const aliases = reply.aliases.map(({ alias, version }) => `${alias} → v${version}`).join(", ");
      const ref = reply.aliases[0]?.alias ?? "latest";
      output.data(reply, () =>
        formatFields([
          ["name", reply.function.name],
          ["runtime", `${reply.function.runtime}, ${reply.function.entry}, ${reply.function.handler}`],
          ["created", formatTime(reply.function.created_at_ms)],
          ["newest", reply.latest_version === null ? "nothing published" : `v${reply.latest_version}`],
          ["aliases", aliases === "" ? "none" : aliases],
          ...(reply.latest_version === null ? [] : [["call", curlLine(scope, name, ref)] as const]),
        ]),
      );
    });
};
