import type { Member } from "./membership.ts";

/** @returns a live invoker of two processors with nothing to do */
export function member(id: string, fields: Partial<Member> = {}): Member {
  return {
    id,
    roles: ["invoker"],
    address: "",
    version: "0.1.0",
    startedMs: 0,
    state: "live",
    draining: false,
    seenMs: 0,
    generation: 1,
    capacity: 100,
    cpus: 2,
    running: 0,
    waiting: 0,
    warm: new Set(),
    cached: new Set(),
    ...fields,
  };
}
