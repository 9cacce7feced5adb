import type { HostEnd } from "./follow-end.ts";
import type { StartHostOptions } from "./start-host.ts";

/** What a spawner is asked for. */
export interface StartRequest {
  /** Names the host in what the spawner says of it. */
  id: number;
  options: StartHostOptions;
}

/** What a spawner says of a host. */
export type SpawnerMessage =
  /** Brings its link, beside the message. */
  | { type: "link"; id: number }
  /** The link belongs to the receiver alone: Node sends nothing more before the other side has closed its own. */
  | { type: "started"; id: number; pid: number }
  | { type: "failed"; id: number; message: string }
  | { type: "ended"; id: number; end: HostEnd };
