import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** What a process shows the API server, and believes it by. */
export interface ServiceAccount {
  token: string | undefined;
  /** PEM; the system's authorities count where there is none. */
  ca: string | undefined;
  namespace: string | undefined;
}

/** Reads a service account anew each time: the kubelet replaces its files about once an hour. */
export async function readServiceAccount(folder: string): Promise<ServiceAccount> {
  const [token, ca, namespace] = await Promise.all(
    ["token", "ca.crt", "namespace"].map((name) => readIfThere(join(folder, name))),
  );
  return { token, ca, namespace };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")).trim() || undefined;
  } catch {
    // A proxy of kubectl needs none of it; a server that does says so.
    return undefined;
  }
}
