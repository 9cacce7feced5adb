import type { SandboxClient, SandboxTask } from "@sous/sandbox";

export interface FleetStats {
  tenants: number;
  sandboxes: number;
  active: number;
  warmPrograms: number;
}

/** Who hands an activation to the fleet. */
export interface FleetClient extends SandboxClient {
  /** Called when a sandbox has it, before anything else. */
  onPlaced(sandboxId: string): void;
}

/** Chooses where an activation runs: keeps sandboxes warm, apart by tenant, and within bounds. */
export interface Fleet extends AsyncDisposable {
  /** The tier of the driver behind it. */
  readonly tier: string;
  /** Hands an activation to a sandbox of its tenant, at once where one is ready. The client hears one outcome. */
  run(tenant: string, task: SandboxTask, client: FleetClient): void;
  /** Whether what a tenant hands over now begins soon: little of its work waits for a sandbox, or in one. */
  hasRoom(tenant: string): boolean;
  /** Ends an activation early, wherever it is. */
  cancel(tenant: string, activationId: string): void;
  stats(): FleetStats;
  /** Keys of programs with an isolate ready, at most `max`, the lately used ones first. */
  warmPrograms(max: number): string[];
}
