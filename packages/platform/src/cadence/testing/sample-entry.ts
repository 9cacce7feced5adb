import { hash } from "node:crypto";
import { activityActivationId } from "@sous/contract";
import type { ActivityQueue, ActivityTask } from "../activity-server.ts";
import type { TaskEntry } from "../task-book.ts";

/** @returns what is kept of a task that was just taken, with everything else made up unless given */
export function sampleEntry(
  { domain, name, identity }: ActivityQueue,
  { token, startToCloseMs, heartbeatTimeoutMs, heartbeatDetails }: ActivityTask,
  fields: Partial<TaskEntry> = {},
): TaskEntry {
  const nowMs = Date.now();
  return {
    activation_id: activityActivationId(hash("sha256", token, "hex")),
    tenant: "t_default",
    namespace: "default",
    worker: "orders",
    domain,
    tasklist: name,
    identity,
    token: Buffer.from(token).toString("base64"),
    result: "body",
    deadline_ms: nowMs + startToCloseMs,
    heartbeat_timeout_ms: heartbeatTimeoutMs,
    details: Buffer.from(heartbeatDetails).toString("base64"),
    taken_at_ms: nowMs,
    touched_ms: nowMs,
    ...fields,
  };
}
