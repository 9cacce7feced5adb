import { DatabaseSync } from "node:sqlite";
import { PlatformError } from "@sous/contract";
import type { Statement } from "../sql/statement.ts";
import type { SqlReader } from "../sql/stores/access.ts";
import { Connection } from "./connection.ts";
import { messageOf } from "../sql/refusal.ts";
import { engineFailure } from "./refusal.ts";

/**
 * The main thread's connection. It only reads: in WAL mode it sees every commit and never waits for one.
 * Rows come back with null prototypes; callers build records from them.
 */
export class Reader implements SqlReader, Disposable {
  readonly #db: DatabaseSync;
  readonly #connection: Connection;

  constructor(path: string, busyTimeoutMs: number) {
    this.#db = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });
    this.#connection = new Connection(this.#db);
  }

  /** @throws CS_STORE_READ_FAILED, CS_STORE_UNAVAILABLE */
  get<P extends object, R>(statement: Statement<P, R>, parameters: P): R | undefined {
    return this.#guard(() => this.#connection.get(statement, parameters));
  }

  /** @throws CS_STORE_READ_FAILED, CS_STORE_UNAVAILABLE */
  all<P extends object, R>(statement: Statement<P, R>, parameters: P): R[] {
    return this.#guard(() => this.#connection.all(statement, parameters));
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #guard<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!this.#db.isOpen) {
        throw new PlatformError("CS_STORE_UNAVAILABLE", "The store is closed; open it again", { cause });
      }
      const failure = engineFailure(cause);
      const code = failure === undefined ? "CS_STORE_READ_FAILED" : "CS_STORE_UNAVAILABLE";
      const reason = failure ?? messageOf(cause);
      throw new PlatformError(code, `The store cannot be read: ${reason}; see the server's log`, { cause });
    }
  }
}
