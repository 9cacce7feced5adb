import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./api.ts";
import { scratchFolder } from "./scratch.ts";

const START_PATIENCE_MS = 60_000;
const COMMAND_PATIENCE_MS = 540_000;

/** A Docker engine of a test's own: images, containers and networks of no other, all gone with it. */
export interface DockerEngine extends AsyncDisposable {
  /** An empty folder of its own for what images are made of. */
  readonly folder: string;
  /** Runs a program that talks to this engine. @returns what it printed @throws when it fails */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<string>;
  /** `docker …` */
  docker(...args: string[]): Promise<string>;
}

export interface RunOptions {
  env?: Record<string, string>;
  input?: string;
}

/** @returns why no engine can be started here, or `undefined` */
export function missingDocker(): string | undefined {
  if (process.getuid?.() !== 0) return "a Docker engine is started by root only";
  for (const program of ["dockerd", "docker", "mmdebstrap"]) {
    if (spawnSync(program, ["--version"]).status !== 0) {
      return `there is no ${program}: apt-get install docker.io mmdebstrap docker-compose`;
    }
  }
  return undefined;
}

/**
 * Starts `dockerd` with its files in a scratch folder. It leaves the machine's packet filter alone: containers reach each
 * other and this machine, not the world; what is built has the machine's own network.
 */
export async function startDocker(): Promise<DockerEngine> {
  const scratch = scratchFolder();
  const at = (name: string): string => join(scratch.path, name);
  const host = `unix://${at("docker.sock")}`;
  const roots = ["--data-root", at("data"), "--exec-root", at("exec"), "--pidfile", at("docker.pid")];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"];
  const log = openSync(at("log"), "w");
  const child = spawn("dockerd", ["--host", host, ...roots, ...network], { stdio: ["ignore", log, log] });
  closeSync(log);
  const exited = once(child, "exit");

  const run: DockerEngine["run"] = (program, args, { env = {}, input = "" } = {}) => {
    // The builder of old needs nothing installed beside the engine.
    const environment = { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: "0", ...env };
    return new Promise((resolve, reject) => {
      const options = { env: environment, timeout: COMMAND_PATIENCE_MS, maxBuffer: 2 ** 26 };
      const command = execFile(program, args, options, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const said = `${stdout}\n${stderr}`.slice(-4000);
        reject(new Error(`${program} ${args.join(" ")}: ${said}`, { cause: error }));
      });
      command.stdin?.end(input);
    });
  };
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await exited;
    clearTimeout(timer);
    // The engine leaves the place of the machine's network namespace mounted.
    spawnSync("umount", [at("exec/netns/default")]);
    scratch[Symbol.dispose]();
  };
  try {
    await mkdir(at("images"));
    const isUp = async (): Promise<boolean> => {
      assert.equal(child.exitCode, null, `dockerd ended: ${readFileSync(at("log"), "utf8").slice(-2000)}`);
      return await run("docker", ["info"]).then(
        () => true,
        () => false,
      );
    };
    await until(isUp, "dockerd answers", START_PATIENCE_MS);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    folder: at("images"),
    run,
    docker: (...args) => run("docker", args),
    [Symbol.asyncDispose]: end,
  };
}
