import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below the ports that systems give to connections out, of which tests make thousands: one of them would take the port
 * before its server does, or while that is restarted.
 */
const [FIRST, LAST] = [16_384, 32_767];
const TRIES_MAX = 100;

/** @returns a port of this machine that nobody listened on a moment ago, and that no connection out is given */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(FIRST, LAST + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port of ${TRIES_MAX} between ${FIRST} and ${LAST} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
