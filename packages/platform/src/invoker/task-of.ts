import type { Invocation, VersionRecord } from "@sous/contract";
import type { SandboxProgram, SandboxTask } from "@sous/sandbox";
import { contextJson, sharedContextJson } from "./context-json.ts";

/** @returns what a sandbox is given to do */
export function taskOf(invocation: Invocation, version: VersionRecord, program: SandboxProgram): SandboxTask {
  return {
    activationId: invocation.activation_id,
    program,
    contextJson: contextJson(invocation),
    sharedContextJson: sharedContextJson(invocation, version),
    eventJson: invocation.event_json,
    deadlineMs: invocation.deadline_ms,
  };
}
