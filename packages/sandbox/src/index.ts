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
