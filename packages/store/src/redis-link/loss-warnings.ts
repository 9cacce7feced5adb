import type { RedisLink } from "./redis-link.ts";

/**
 * @param subject what the server is, for messages: "the queue's server"
 * @returns what an operator should change about a server that may lose what it took, a line each; what a server does not
 *   know of, as KVRocks of a bound of memory, is no reason for one
 */
export async function lossWarnings(link: RedisLink, subject: string): Promise<string[]> {
  const warnings: string[] = [];
  const [persistence, memory] = await Promise.all([fieldsOf(link, "persistence"), fieldsOf(link, "memory")]);
  if (persistence.get("aof_enabled") === "0") {
    warnings.push(
      `${subject} keeps no append-only file: what was accepted is lost when it ends; set appendonly yes and appendfsync always`,
    );
  }
  const policy = memory.get("maxmemory_policy") ?? "noeviction";
  if (Number(memory.get("maxmemory") ?? 0) > 0 && policy !== "noeviction") {
    warnings.push(
      `${subject} throws keys away once it is full (maxmemory-policy ${policy}), and with them what was accepted; set maxmemory-policy noeviction`,
    );
  }
  return warnings;
}

async function fieldsOf(link: RedisLink, section: string): Promise<ReadonlyMap<string, string>> {
  const text = String(await link.send("INFO", section));
  return new Map([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name = "", value = ""]) => [name, value]));
}
