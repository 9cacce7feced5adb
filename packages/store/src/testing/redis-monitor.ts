import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

/** A command that a script called with a key it had not declared. */
export interface UndeclaredKey {
  command: string;
  key: string;
}

/** Watches every command of a server for scripts that use keys they did not declare, as KVRocks in strict mode does. */
export interface RedisMonitor extends AsyncDisposable {
  /** Commands of scripts seen so far. */
  readonly seen: number;
  readonly undeclared: readonly UndeclaredKey[];
  /** Settles when everything the server did so far was looked at. */
  settled(): Promise<void>;
}

const LINE = /^\d+\.\d+ \[\d+ (lua|[^\]]+)\] (.*)$/;

/** @param port of a server of this machine */
export async function monitorRedis(port: number): Promise<RedisMonitor> {
  const socket = await connected(port);
  const undeclared: UndeclaredKey[] = [];
  let declared = new Set<string>();
  let seen = 0;
  let heard = (_: string): void => {};
  // The server may end first.
  socket.on("error", () => {});
  const lines = createInterface({ input: socket });
  lines.on("error", () => {});
  lines.on("line", (line) => {
    const [, from, rest = ""] = LINE.exec(line.replace(/^\+/, "")) ?? [];
    const words = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) => word);
    const [command = "", key = ""] = words;
    if (from === "lua") {
      seen++;
      if (!declared.has(key)) undeclared.push({ command, key });
    } else if (/^eval/i.test(command)) declared = new Set(words.slice(3, 3 + Number(words[2])));
    else if (/^echo$/i.test(command)) heard(key);
  });
  socket.write("MONITOR\r\n");
  return {
    undeclared,
    get seen() {
      return seen;
    },
    async settled() {
      const mark = `mark-${Math.random()}`;
      const marked = new Promise<void>((resolve) => {
        heard = (word) => void (word === mark && resolve());
      });
      const other = await connected(port);
      other.write(`ECHO ${mark}\r\n`);
      await marked;
      other.destroy();
    },
    [Symbol.asyncDispose]() {
      lines.close();
      socket.destroy();
      return Promise.resolve();
    },
  };
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}
