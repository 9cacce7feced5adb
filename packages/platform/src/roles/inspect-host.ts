import { totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createIsolateDriver, type HostLayer, type HostLevel, type HostReport } from "@sous/sandbox";
import { closedPath } from "./closed-path.ts";

export interface DoctorCheck {
  name: string;
  status: "ok" | "warn" | "fail";
  /** What was found. */
  detail: string;
  /** What to do, where something should be done. */
  hint?: string;
}

/** What this machine offers. */
export interface DoctorReport {
  checks: DoctorCheck[];
  /** How far sandbox hosts are closed here: what `sandbox.require` can ask for. */
  level?: HostLevel;
}

const NODE_WANTED = [26, 10, 0] as const;
/** The first release of the line with the security fixes of October 2026. */
const NODE_PATCHED = [26, 12, 1] as const;
const GiB = 1024 ** 3;
/** Where `packages` and `node_modules` lie. */
const INSTALLATION = join(import.meta.dirname, "..", "..", "..", "..");

/** Starts a sandbox host as the platform would and reports what holds around it. */
export async function inspectHost(): Promise<DoctorReport> {
  const checks = [nodeCheck(), memoryCheck(), ...installationChecks()];
  try {
    await using driver = await createIsolateDriver({ stems: 0, pairs: 1 });
    const report = await driver.inspect();
    const detail = `starts in ${Math.round(driver.lastStartMs)} ms, by ${report.launcher}`;
    checks.push({ name: "sandbox host", status: "ok", detail });
    checks.push(...report.failures.map(failureCheck), levelCheck(report), ...report.layers.map(layerCheck));
    return { checks, level: report.level };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    checks.push({ name: "sandbox host", status: "fail", detail, hint: "run npm install on this machine" });
    return { checks };
  }
}

const LEVELS: Record<HostLevel, Pick<DoctorCheck, "status" | "detail">> = {
  open: { status: "warn", detail: "open: a fault in V8 is enough to reach this machine" },
  closed: { status: "ok", detail: "closed: no files, no sockets, no programs, by filters only" },
  strict: { status: "ok", detail: "strict: every layer is on" },
};

function levelCheck({ level, layers }: HostReport): DoctorCheck {
  const check = { name: "closed by the OS", ...LEVELS[level] };
  if (level === "strict") return check;
  const missing = layers.filter((layer) => !layer.on && layer.level !== null).map((layer) => layer.name);
  return { ...check, hint: `missing for strict: ${missing.join(", ")}` };
}

/** A layer that another one stands in for is no reason to warn. */
function layerCheck({ name, on, detail, how, level }: HostLayer): DoctorCheck {
  const status = on || level === null ? "ok" : "warn";
  return how === undefined ? { name, status, detail } : { name, status, detail, hint: how };
}

const failureCheck = (failure: string): DoctorCheck => ({
  name: "not possible here",
  status: "warn",
  detail: failure,
  hint: "let every user read the installation, and allow user namespaces (sysctl user.max_user_namespaces)",
});

function nodeCheck(): DoctorCheck {
  const have = process.versions.node.split(".").map(Number);
  const name = "node";
  const detail = `${process.versions.node} (V8 ${process.versions.v8})`;
  if (older(have, NODE_WANTED)) {
    return {
      name,
      status: "fail",
      detail,
      hint: `install the project's pinned Node ${NODE_WANTED.join(".")} with npm install`,
    };
  }
  if (older(have, NODE_PATCHED)) {
    const hint = `${NODE_PATCHED.join(".")} fixes security faults; the platform decodes no Brotli and asks no DNS server itself, which avoids the worst`;
    return { name, status: "warn", detail, hint };
  }
  return { name, status: "ok", detail };
}

function memoryCheck(): DoctorCheck {
  const gib = totalmem() / GiB;
  const detail = `${gib.toFixed(1)} GiB`;
  if (gib >= 1) return { name: "memory", status: "ok", detail };
  return { name: "memory", status: "warn", detail, hint: "each active tenant takes about 100 MiB" };
}

/** Started as root, each host is a user of its own, who has to read what it runs: a umask of 077 keeps it out. */
function installationChecks(): DoctorCheck[] {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return [];
  const name = "installation";
  const parts = [process.execPath, import.meta.filename, fileURLToPath(import.meta.resolve("fastify"))];
  const closed = parts.map(closedPath).find((path) => path !== undefined);
  if (closed === undefined) return [{ name, status: "ok", detail: "every user may read it, as hosts must" }];
  const isAbove = INSTALLATION.startsWith(`${closed}/`);
  const hint = isAbove
    ? `run \`chmod go+x ${closed}\`, or move the installation where every user may read it`
    : `run \`chmod -R go+rX ${INSTALLATION}\` (it was installed with a umask such as 077)`;
  const detail = `${closed} is closed to the users that hosts run as, which costs layers`;
  return [{ name, status: "warn", detail, hint }];
}

function older(have: readonly number[], wanted: readonly number[]): boolean {
  for (const [i, part] of wanted.entries()) {
    const own = have[i] ?? 0;
    if (own !== part) return own < part;
  }
  return false;
}
