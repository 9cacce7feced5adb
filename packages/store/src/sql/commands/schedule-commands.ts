import { Refusal } from "../refusal.ts";
import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { get, run, send } from "./steps.ts";

type ScheduleCommands = Pick<
  CommandSteps,
  | "scheduleCreate"
  | "scheduleReplace"
  | "scheduleDelete"
  | "scheduleAdvance"
  | "leaseAcquire"
  | "leaseRenew"
  | "leaseRelease"
  | "leaseRaise"
>;

/** The writes over schedules, and over the leases that fence them. */
export function scheduleCommands(sql: Statements): ScheduleCommands {
  return {
    *scheduleCreate(tenant, namespace, name, uid, doc, nextTickMs, dueAtMs, namespaceMax) {
      const count = (yield* get(sql.schedules.count, { tenant, namespace }))?.count ?? 0;
      const isNew = (yield* get(sql.schedules.get, { tenant, namespace, name })) === undefined;
      if (isNew && count >= namespaceMax) {
        throw new Refusal(
          "CS_CONFLICT",
          `Namespace ${namespace} holds ${count} schedules, which is all it may; delete one first`,
        );
      }
      const start = { next_tick_ms: nextTickMs, due_at_ms: dueAtMs };
      if ((yield* run(sql.schedules.create, { tenant, namespace, name, uid, doc, ...start })) === 0) {
        throw new Refusal("CS_CONFLICT", `Schedule ${namespace}/${name} exists; change it with PATCH`);
      }
    },

    *scheduleReplace(tenant, namespace, name, uid, generation, doc, nextTickMs, dueAtMs) {
      const start = { next_tick_ms: nextTickMs, due_at_ms: dueAtMs };
      const row = { tenant, namespace, name, uid, generation, doc, ...start };
      return (yield* run(sql.schedules.replace, row)) > 0;
    },

    *scheduleDelete(tenant, namespace, name) {
      if ((yield* run(sql.schedules.remove, { tenant, namespace, name })) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no schedule ${namespace}/${name}`);
      }
    },

    *scheduleAdvance(tenant, namespace, name, uid, readSeq, tickSeq, nextTickMs, dueAtMs, ...rest) {
      const [inflight, catchupEndSeq, lease, epoch] = rest;
      if (lease !== null && (yield* get(sql.leases.get, { name: lease }))?.epoch !== epoch) return false;
      const row = {
        tenant,
        namespace,
        name,
        uid,
        read_seq: readSeq,
        tick_seq: tickSeq,
        next_tick_ms: nextTickMs,
        due_at_ms: dueAtMs,
        inflight,
        catchup_end_seq: catchupEndSeq,
      };
      return (yield* run(sql.schedules.advance, row)) > 0;
    },

    *leaseAcquire(name, holder, nowMs, untilMs, staleEpoch, staleUntilMs) {
      const held = yield* get(sql.leases.get, { name });
      const isStale = held?.epoch === staleEpoch && held.until_ms === staleUntilMs;
      if (held !== undefined && held.until_ms > nowMs && !isStale) return 0;
      const epoch = (held?.epoch ?? 0) + 1;
      yield* send(sql.leases.put, { name, holder, epoch, until_ms: untilMs });
      return epoch;
    },

    *leaseRenew(name, epoch, untilMs) {
      return (yield* run(sql.leases.renew, { name, epoch, untilMs })) > 0;
    },

    *leaseRelease(name, epoch) {
      yield* send(sql.leases.release, { name, epoch });
    },

    *leaseRaise(name, holder, epoch) {
      const held = yield* get(sql.leases.get, { name });
      if (held?.epoch === epoch && held.holder === holder) return true;
      if (held !== undefined && held.epoch >= epoch) return false;
      yield* send(sql.leases.put, { name, holder, epoch, until_ms: 0 });
      return true;
    },
  };
}
