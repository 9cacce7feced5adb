import { PlatformError } from "@sous/contract";
import type { Pool, PoolClient } from "pg";
import { messageOf } from "../sql/refusal.ts";
import type { Statement } from "../sql/statement.ts";
import type { SqlReader } from "../sql/stores/access.ts";
import { connectionSettings, type Patience } from "./connection-settings.ts";
import { engineFailure, isAnswer } from "./engine-failure.ts";
import type { Pg } from "./load-pg.ts";
import type { PostgresTarget } from "./postgres-url.ts";
import type { Prepared } from "./prepared.ts";
import { closedStore, unavailable } from "./store-errors.ts";

const IDLE_MS = 60_000;

/** Reads over a pool of connections, which see every commit. */
export class PoolReader implements SqlReader, AsyncDisposable {
  readonly #pool: Pool;
  readonly #prepared: Prepared;
  #closing: Promise<void> | undefined;

  constructor(pg: Pg, target: PostgresTarget, patience: Patience, prepared: Prepared) {
    this.#prepared = prepared;
    this.#pool = new pg.Pool({
      ...connectionSettings(target, patience),
      // One connection of the process is the writer's.
      max: target.pool - 1,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
    });
    // An idle connection that breaks is replaced when it is needed.
    this.#pool.on("error", () => {});
  }

  async get<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return (await this.all(statement, parameters))[0];
  }

  async all<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    const query = this.#prepared.query(statement, parameters);
    const read = async (): Promise<R[]> => (await this.#pool.query(query)).rows as R[];
    return await this.#guard(read);
  }

  /**
   * Runs a body while no other process runs one under the same lock.
   * @returns `undefined` when another one does
   */
  async alone<T>(lock: bigint, body: () => Promise<T>): Promise<T | undefined> {
    const client = await this.#guard(() => this.#pool.connect());
    try {
      if (!(await this.#guard(() => tryLock(client, lock)))) return undefined;
      return await body();
    } finally {
      // Ending the session is the one way to give a lock back that cannot fail.
      client.release(true);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#pool.end();
    return this.#closing;
  }

  /** A connection may have broken while it lay idle: that is told apart from a server that is gone by a second try. */
  async #guard<T>(read: () => Promise<T>): Promise<T> {
    for (let isSecond = false; ; isSecond = true) {
      if (this.#closing !== undefined) throw closedStore();
      try {
        return await read();
      } catch (cause) {
        if (!isSecond && isBrokenConnection(cause)) continue;
        if (engineFailure(cause) !== undefined) throw unavailable("cannot be read", cause);
        const message = `The store cannot be read: ${messageOf(cause)}; see the server's log`;
        throw new PlatformError("CS_STORE_READ_FAILED", message, { cause });
      }
    }
  }
}

async function tryLock(client: PoolClient, lock: bigint): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>("select pg_try_advisory_lock($1) as taken", [lock]);
  return rows[0]?.taken === true;
}

/** Not one that never came about, nor one that was silent for too long: a second try would take as long. */
const isBrokenConnection = (error: unknown): boolean =>
  isAnswer(error)
    ? (error as { code?: string }).code === "57P01"
    : /terminated|ECONNRESET|EPIPE/.test(messageOf(error)) && !/timeout/.test(messageOf(error));
