export type {
  HostAnswer,
  HostCall,
  Sandbox,
  SandboxClient,
  SandboxDriver,
  SandboxEvent,
  SandboxOptions,
  SandboxOutcome,
  SandboxProgram,
  SandboxTask,
  SandboxTimings,
} from "./sandbox.ts";
export { createIsolateDriver, type IsolateDriver, type IsolateDriverOptions } from "./isolate/driver.ts";
export type { HostReport } from "./isolate/host-starter.ts";
export { HOST_LEVELS, type HostLayer, type HostLevel } from "./isolate/closing/layers.ts";
