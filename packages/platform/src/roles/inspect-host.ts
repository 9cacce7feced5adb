import { totalmem } from "node:os";
import { createIsolateDriver, type HostReport } from "@sous/sandbox";

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
}

const NODE_WANTED = [26, 10, 0] as const;
/** The first release of the line with the security fixes of October 2026. */
const NODE_PATCHED = [26, 12, 1] as const;
const GiB = 1024 ** 3;

/** Starts a sandbox host as the platform would and reports what holds around it. */
export async function inspectHost(): Promise<DoctorReport> {
  const checks = [nodeCheck(), memoryCheck()];
  let report: HostReport | undefined;
  const begun = performance.now();
  try {
    await using driver = await createIsolateDriver({
      stems: 0,
      pairs: 1,
      onReport: (given) => (report = given),
    });
    const sandbox = await driver.create({ tenant: "t_doctor0" });
    sandbox.kill("inspected");
    const ms = Math.round(performance.now() - begun);
    checks.push({ name: "sandbox host", status: "ok", detail: `starts in ${ms} ms` });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    checks.push({ name: "sandbox host", status: "fail", detail, hint: "run npm install on this machine" });
  }
  if (report !== undefined) checks.push(...layerChecks(report));
  return { checks };
}

function layerChecks(report: HostReport): DoctorCheck[] {
  const root = process.getuid?.() === 0;
  const check = (name: string, on: boolean, detail: string, hint: string): DoctorCheck =>
    on ? { name, status: "ok", detail } : { name, status: "warn", detail: "off", hint };
  return [
    check("one process a tenant", true, "isolates of two tenants never share a process", ""),
    check(
      "own user",
      root && report.uid !== 0,
      `uid ${report.uid}`,
      "start as root to give each host a user of its own",
    ),
    check("no new privileges", report.noNewPrivileges, "on", "needs Linux"),
    check("dies with its parent", report.diesWithParent, "on", "needs Linux"),
    {
      name: "closed by the OS",
      status: "warn",
      detail: "not yet: no namespaces, no system call filter, no control group",
      hint: "run code of people you do not trust on a machine of its own until this layer is on",
    },
  ];
}

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

function older(have: readonly number[], wanted: readonly number[]): boolean {
  for (const [i, part] of wanted.entries()) {
    const own = have[i] ?? 0;
    if (own !== part) return own < part;
  }
  return false;
}
