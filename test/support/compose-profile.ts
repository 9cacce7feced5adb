import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DockerEngine } from "./docker-engine.ts";

const FOLDER = fileURLToPath(new URL("../../deploy/compose", import.meta.url));
const FILE = join(FOLDER, "compose.yaml");

/** A profile of `deploy/compose/compose.yaml` in an engine of a test's own; disposed with its volumes. */
export interface ComposeProfile extends AsyncDisposable {
  /** `up` of what is named, or of all that the profile has. */
  up(...services: string[]): Promise<void>;
  /** @returns what a service's processes printed */
  logs(service: string): Promise<string>;
  /** @returns the ids of a service's containers */
  containers(service: string): Promise<string[]>;
}

/** @param env what stands in `.env` beside the file */
export async function openProfile(
  engine: DockerEngine,
  profile: string,
  env: Record<string, string>,
): Promise<ComposeProfile> {
  const compose = await findCompose(engine, profile);
  const run = (...args: string[]): Promise<string> => compose(args, env);
  return {
    async up(...services) {
      await run("up", "--detach", "--no-build", ...services);
    },
    logs: (service) => run("logs", "--no-color", service),
    async containers(service) {
      const ids = await run("ps", "--quiet", service);
      return ids.split("\n").filter((line) => line !== "");
    },
    async [Symbol.asyncDispose]() {
      await run("down", "--volumes", "--timeout", "30");
    },
  };
}

type Compose = (args: readonly string[], env: Record<string, string>) => Promise<string>;

/** Compose as Docker's plugin, or as a program of its own; Debian 12 has one of before the field `name`. */
async function findCompose(engine: DockerEngine, profile: string): Promise<Compose> {
  const common = ["--project-name", "sous", "--profile", profile];
  const version = await engine.docker("compose", "version", "--short").catch(() => undefined);
  if (version !== undefined) {
    return (args, env) => engine.run("docker", ["compose", "--file", FILE, ...common, ...args], { env });
  }
  const alone = await engine.run("docker-compose", ["version", "--short"]);
  if (!alone.startsWith("1.")) {
    return (args, env) => engine.run("docker-compose", ["--file", FILE, ...common, ...args], { env });
  }
  const input = readFileSync(FILE, "utf8").replace(/^name: .*$/m, "");
  const from = ["--file", "-", "--project-directory", FOLDER, ...common];
  return (args, env) => engine.run("docker-compose", [...from, ...args], { env, input });
}
