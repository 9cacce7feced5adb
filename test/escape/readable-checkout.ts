import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
/** What the probes and the hosts they start are made of. */
const PARTS = ["packages", "test", "node_modules", "package.json"];

/** Where the sources lie that another user shall run. */
export interface Checkout {
  runner: string;
  node: string;
}

/** This very checkout. */
export const OWN_CHECKOUT: Checkout = {
  runner: join(import.meta.dirname, "run-probes.ts"),
  node: process.execPath,
};

/**
 * Finds sources that a user may read: these, or a copy of them where they, or a folder above, are closed to others: made
 * under a umask of 077, or in a home.
 * @param folder one that others may enter, for the copy
 * @returns `undefined` where neither can be read
 */
export function readableCheckout(uid: number, folder: string): Checkout | undefined {
  if (canRun(uid, OWN_CHECKOUT)) return OWN_CHECKOUT;
  const copy = join(folder, "checkout");
  mkdirSync(copy);
  execFileSync("cp", ["-a", "--reflink=auto", ...PARTS.map((part) => join(ROOT, part)), copy]);
  execFileSync("chmod", ["-R", "a+rX", copy]);
  const checkout = {
    runner: join(copy, "test", "escape", "run-probes.ts"),
    node: join(copy, "node_modules", ".bin", "node"),
  };
  return canRun(uid, checkout) ? checkout : undefined;
}

function canRun(uid: number, { node, runner }: Checkout): boolean {
  return spawnSync(node, ["--check", runner], { uid, gid: uid, env: {}, cwd: "/" }).status === 0;
}
