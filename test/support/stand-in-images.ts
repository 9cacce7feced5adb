import { cpSync, existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DockerEngine } from "./docker-engine.ts";

const SOURCES = fileURLToPath(new URL("../deploy/images", import.meta.url));
const AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";
const NPM = "npm@11.19.1";

/** What a test makes from Debian's packages, as no registry of images may be asked, and the folder it is built from. */
export const STAND_INS = {
  "debian:bookworm-slim": undefined,
  "node:26-bookworm-slim": "node",
  "redis:7": "redis",
  "postgres:16": "postgres",
} as const;

/** Makes every image that the Dockerfile and the compose file take from a registry. */
export async function makeStandIns(engine: DockerEngine): Promise<void> {
  const base = join(engine.folder, "debian.tar");
  await engine.run("mmdebstrap", ["--quiet", "--variant=minbase", "bookworm", base]);
  await engine.docker("import", base, "debian:bookworm-slim");
  const built = Object.entries(STAND_INS).map(async ([image, source]) => {
    if (source === undefined) return;
    const context = join(engine.folder, source);
    cpSync(join(SOURCES, source), context, { recursive: true });
    if (source === "node") await addNode(engine, context);
    await engine.docker("build", "--network", "host", "--tag", image, context);
  });
  await Promise.all(built);
}

async function addNode(engine: DockerEngine, context: string): Promise<void> {
  const folder = join(engine.folder, "npm");
  await engine.run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder, NPM]);
  cpSync(join(folder, "node_modules/npm"), join(context, "npm"), { recursive: true });
  cpSync(realpathSync(process.execPath), join(context, "node"));
  if (!existsSync(AUTHORITIES)) throw new Error(`no ${AUTHORITIES}: apt-get install ca-certificates`);
  cpSync(realpathSync(AUTHORITIES), join(context, "authorities.crt"));
}
