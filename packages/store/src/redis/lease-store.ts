import type { LeaseStore } from "../store.ts";
import type { Access } from "./access.ts";

/** Leases in Redis. */
export function createLeaseStore({ reader, writer, keys }: Access): LeaseStore {
  return {
    async read(name) {
      const fields = ["holder", "epoch", "until"];
      const [holder, epoch, until] = await reader.send<(string | null)[]>("HMGET", keys.lease(name), fields);
      if (typeof holder !== "string") return undefined;
      return { holder, epoch: Number(epoch), until_ms: Number(until) };
    },
    async acquire(name, holder, nowMs, untilMs, stale) {
      const seen = [stale?.epoch ?? "", stale?.until_ms ?? ""];
      const epoch = await writer.write("leaseAcquire", [keys.lease(name)], [holder, nowMs, untilMs, ...seen]);
      return epoch === 0 ? undefined : Number(epoch);
    },
    async renew(name, epoch, untilMs) {
      return (await writer.write("leaseRenew", [keys.lease(name)], [epoch, untilMs])) === 1;
    },
    async release(name, epoch) {
      await writer.write("leaseRelease", [keys.lease(name)], [epoch]);
    },
    async raise(name, holder, epoch) {
      return (await writer.write("leaseRaise", [keys.lease(name)], [holder, epoch])) === 1;
    },
  };
}
