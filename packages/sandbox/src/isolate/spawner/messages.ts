import type { HostEnd } from "./follow-end.ts";
import type { StartHostOptions } from "./start-host.ts";

/** What a spawner is asked for: a host, or a sign of life. */
export type SpawnerRequest = StartRequest | { type: "ping" };

export interface StartRequest {
  type: "start";
  /** Names the host in what the spawner says of it. */
  id: number;
  options: StartHostOptions;
}

/** What a spawner says of a host. */
export type SpawnerMessage =
  /** Brings its link, beside the message. */
  | { type: "link"; id: number }
  /**
   * The link belongs to the receiver alone: Node sends this only when the spawner's own copy, which it goes on reading, is
   * closed. A host says nothing before its setup, which is sent to it after this.
   */
  | { type: "started"; id: number; pid: number }
  | { type: "failed"; id: number; message: string }
  | { type: "ended"; id: number; end: HostEnd }
  | { type: "pong" };
