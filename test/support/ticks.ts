import assert from "node:assert/strict";
import type { ActivationRecord } from "@sous/contract";
import { type Api, until } from "./api.ts";

/** @returns where the activation of a schedule comes from */
export const sourceOf = ({ trigger }: ActivationRecord) =>
  trigger.source as { schedule: string; tick_seq: number; due_ms: number };

/** Every activation of a schedule's ticks, oldest tick first. */
export async function ticksOf(api: Api, schedule: string): Promise<ActivationRecord[]> {
  const found: ActivationRecord[] = [];
  let cursor = "";
  do {
    const page = await api.expect<{ items: ActivationRecord[]; next_cursor: string | null }>(
      200,
      "GET",
      `/v1/tenants/t_default/activations?trigger=schedule&limit=500${cursor}`,
    );
    found.push(...page.items);
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
  } while (cursor !== "");
  return found
    .filter((record) => sourceOf(record).schedule === schedule && sourceOf(record).tick_seq !== undefined)
    .toSorted((a, b) => sourceOf(a).tick_seq - sourceOf(b).tick_seq);
}

/** Waits until every tick of a schedule has ended. @returns their activations, oldest tick first */
export async function settledTicks(api: Api, schedule: string): Promise<ActivationRecord[]> {
  const isOpen = ({ status }: ActivationRecord): boolean => status === "queued" || status === "running";
  await until(
    async () => !(await ticksOf(api, schedule)).some(isOpen),
    `ticks of ${schedule} to end`,
    60_000,
  );
  return await ticksOf(api, schedule);
}

/** Says that no number is left out and none comes twice. */
export function assertConsecutive(records: readonly ActivationRecord[], everyMs: number): void {
  for (const [index, record] of records.entries()) {
    const first = sourceOf(records[0] as ActivationRecord);
    assert.equal(
      sourceOf(record).tick_seq,
      first.tick_seq + index,
      "no number is left out, none comes twice",
    );
    assert.equal(sourceOf(record).due_ms, first.due_ms + index * everyMs);
  }
}

/** Says that no run began before the one before had ended. */
export function assertApart(records: readonly ActivationRecord[]): void {
  const runs = records.toSorted((a, b) => (a.start_ms ?? 0) - (b.start_ms ?? 0));
  for (const [index, run] of runs.slice(1).entries()) {
    assert.ok((run.start_ms ?? 0) >= (runs[index]?.end_ms ?? Infinity), "two ran at a time");
  }
}
