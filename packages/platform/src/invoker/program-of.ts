import { budgetsOf, type Invocation, type VersionRecord } from "@sous/contract";
import type { SandboxProgram } from "@sous/sandbox";
import type { RunnableProgram } from "../bundle/prepare-program.ts";

const programs = new WeakMap<VersionRecord, SandboxProgram>();

/** @returns the sandbox's view of a version: the bundle's text within the limits of the version's config */
export function programOf(
  invocation: Invocation,
  version: VersionRecord,
  bundle: RunnableProgram,
): SandboxProgram {
  const known = programs.get(version);
  if (known !== undefined && known.files === bundle.files) return known;
  const { config } = version;
  const program: SandboxProgram = {
    key: `${invocation.tenant}/${invocation.namespace}/${invocation.ref.function}@${version.version}`,
    sha256: version.sha256,
    files: bundle.files,
    entry: version.entry,
    handler: version.handler,
    isolation: config.isolation,
    memoryMb: config.memory_mb,
    maxConcurrency: config.max_concurrency,
    capabilities: config.capabilities,
    budgets: budgetsOf(config),
  };
  programs.set(version, program);
  return program;
}
