import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { formatFields } from "../output/table.ts";
import { formatMs, formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs event-source status NAME`: how it goes. */
export const registerEventSourceStatus: Register = (parent, deps) => {
  parent
    .command("status")
    .description("show how an event source goes: state, lag, counts, last error")
    .argument("<name>", "name of the event source")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const status = await api.eventSourceStatus(name);
      const { lag, lag_ms, last_error, last_activation_id } = status;
      output.data(status, () =>
        formatFields([
          ["event source", name],
          ["state", status.state],
          ["lag", lag === null ? "unknown" : `${lag} messages`],
          ["oldest", lag_ms === null ? "unknown" : formatMs(lag_ms)],
          ["in flight", String(status.in_flight)],
          ["received", `${status.received}, ${status.filtered} filtered`],
          ["ended", `${status.succeeded} well, ${status.failed} given up`],
          ["last activation", last_activation_id ?? "none"],
          [
            "last error",
            last_error === null ? "none" : `${formatTime(last_error.at_ms)} ${last_error.message}`,
          ],
        ]),
      );
    });
};
