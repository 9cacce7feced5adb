import type { Socket } from "node:net";
import { followEnd } from "./follow-end.ts";
import type { SpawnerMessage, SpawnerRequest, StartRequest } from "./messages.ts";
import { startHost } from "./start-host.ts";

/*
 * The parent of sandbox hosts, a process of its own: whoever starts a process stands still until that one runs its
 * program, which on a busy machine takes a tenth of a second, and is copied for it. It ends with the invoker, and its
 * hosts with it.
 */

function say(message: SpawnerMessage, link?: Socket): void {
  // Whoever asked may be gone: then so are we, in a moment.
  process.send?.(message, link, undefined, () => {});
}

async function start({ id, options }: StartRequest): Promise<void> {
  try {
    const host = await startHost(options);
    followEnd(host.process, (end) => say({ type: "ended", id, end }));
    say({ type: "link", id }, host.link);
    say({ type: "started", id, pid: host.pid });
  } catch (error) {
    say({ type: "failed", id, message: error instanceof Error ? error.message : String(error) });
  }
}

process.on("message", (request: SpawnerRequest) => {
  if (request.type === "ping") say({ type: "pong" });
  else void start(request);
});
// Not the end of the channel: that is told of only once each link has been taken, and whoever died takes none.
process.stdin.on("end", () => process.exit()).resume();
