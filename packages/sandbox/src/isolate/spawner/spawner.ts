import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { PlatformError } from "@sous/contract";
import { killQuietly } from "../closing/kill-quietly.ts";
import type { HostEnd } from "./follow-end.ts";
import type { SpawnerMessage, SpawnerRequest } from "./messages.ts";
import type { StartHostOptions } from "./start-host.ts";

/** A host the spawner has started, before it is known to be ready. */
export interface SpawnedHost {
  pid: number;
  /** The process it is, or descends from, a child of: it ends with that one. */
  parentPid: number;
  link: Socket;
  /** Ends it at once. A launcher that sees it end reaps it and ends the same way. */
  kill(): void;
  /** @param listener hears once how it ended, at once where it has */
  onEnd(listener: (end: HostEnd) => void): void;
}

/** Starts host processes from a process of its own. */
export interface Spawner extends AsyncDisposable {
  /** @throws CS_INTERNAL with what the launcher said; `SpawnerGone` when the spawner ends meanwhile, or cannot be started */
  start(options: StartHostOptions): Promise<SpawnedHost>;
}

/** No launcher is to blame for a start that failed with this. */
export class SpawnerGone extends PlatformError {
  constructor(how: string) {
    super("CS_INTERNAL", `the process that starts sandbox hosts ended ${how}`);
  }
}

const FLAGS = ["--disable-warning=ExperimentalWarning"];
const STDERR_TAIL_BYTES = 2048;
/** Milliseconds a spawner has to end by itself. */
const CLOSE_MS = 1000;
/** Milliseconds after which a spawner that owes an answer and gives no sign of life is given up. */
const SILENCE_MS = 15_000;
/** Signs of life it is asked for in that time: our own clock may jump, and looks that we do not take do not count. */
const PINGS = 10;

/**
 * Starts a spawner, which is ready by the time the first host is asked for. One that ends takes its hosts with it, and
 * the next start begins with another.
 * @param file the program, `HOST_PROGRAMS.spawner`
 */
export function createSpawner(file: string, silenceMs = SILENCE_MS): Spawner {
  let current = new SpawnerProcess(file, silenceMs);
  let closed = false;
  return {
    async start(options) {
      if (closed) throw new PlatformError("CS_DRAINING", "the sandbox driver is closed");
      if (!current.isOpen) current = new SpawnerProcess(file, silenceMs);
      return current.start(options);
    },
    [Symbol.asyncDispose]() {
      closed = true;
      return current.close();
    },
  };
}

/** One host, as far as its spawner has told. */
class HostRecord {
  readonly #started = Promise.withResolvers<SpawnedHost>();
  readonly #parentPid: number;
  readonly #onKill: () => void;
  #pid: number | undefined;
  #end: HostEnd | undefined;
  #listener: ((end: HostEnd) => void) | undefined;
  link: Socket | undefined;

  /** @param onKill called when it is to end, and that it has ended is still to be told */
  constructor(parentPid: number, onKill: () => void) {
    this.#parentPid = parentPid;
    this.#onKill = onKill;
  }

  get started(): Promise<SpawnedHost> {
    return this.#started.promise;
  }

  start(pid: number): void {
    const { link } = this;
    if (link === undefined) {
      // It had ended before its link could be sent, or the link was lost: its end says more.
      killQuietly(pid);
      return;
    }
    this.#pid = pid;
    this.#started.resolve({
      pid,
      parentPid: this.#parentPid,
      link,
      kill: () => {
        killQuietly(pid);
        this.#onKill();
      },
      onEnd: (listener) => {
        if (this.#end === undefined) this.#listener = listener;
        else listener(this.#end);
      },
    });
  }

  fail(error: PlatformError): void {
    this.link?.destroy();
    this.#started.reject(error);
  }

  end(end: HostEnd): void {
    this.#end = end;
    if (this.#pid === undefined) {
      const how = end.signal ?? end.code;
      const message = `a sandbox host ended with ${how} while it was started: ${end.detail}`;
      this.fail(new PlatformError("CS_INTERNAL", message));
    } else this.#listener?.(end);
  }

  /** Its parent is gone: the kernel ends it, where it can. */
  orphan(why: SpawnerGone): void {
    if (this.#pid === undefined) {
      this.fail(why);
      return;
    }
    killQuietly(this.#pid);
    this.end({ code: null, signal: null, detail: why.message });
  }
}

class SpawnerProcess {
  readonly #child: ChildProcess;
  readonly #silenceMs: number;
  readonly #hosts = new Map<number, HostRecord>();
  /** Hosts it owes an answer for: whether they have started, or that they have ended. */
  readonly #owed = new Set<number>();
  #pinging: NodeJS.Timeout | undefined;
  #pings = 0;
  #lastId = 0;
  #said = "";
  #ended = false;

  constructor(file: string, silenceMs: number) {
    this.#silenceMs = silenceMs;
    // A session of its own: the Ctrl-C of a terminal is for the platform, which still has calls to end.
    this.#child = spawn(process.execPath, [...FLAGS, file], {
      // Where files go that have no room in memory.
      env: process.env["TMPDIR"] === undefined ? {} : { TMPDIR: process.env["TMPDIR"] },
      cwd: "/",
      stdio: ["pipe", "ignore", "pipe", "ipc"],
      detached: true,
      windowsHide: true,
    });
    this.#child.on("message", (message, link) => this.#hear(message as SpawnerMessage, link as Socket));
    // Its end is what ends the spawner, with us or before.
    this.#child.stdin?.on("error", () => {});
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString("latin1")).slice(-STDERR_TAIL_BYTES);
    });
    this.#child.stderr?.on("error", () => {});
    this.#child.on("error", (error) => this.#end(error.message));
    this.#child.once("exit", (code, signal) => this.#end(`with ${signal ?? code} ${this.#said.trim()}`));
  }

  /** Whether it can be asked for anything. */
  get isOpen(): boolean {
    return !this.#ended && this.#child.connected;
  }

  async start(options: StartHostOptions): Promise<SpawnedHost> {
    // Without a file descriptor to spare there is a process without a channel, and in a moment none.
    if (!this.isOpen) throw new SpawnerGone("before it was asked");
    const id = ++this.#lastId;
    const host = new HostRecord(this.#child.pid ?? 0, () => this.#owe(id));
    this.#hosts.set(id, host);
    this.#owe(id);
    this.#ask({ type: "start", id, options });
    return await host.started;
  }

  /** Once its hosts have ended. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin?.end();
    const late = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_MS);
    await exited;
    clearTimeout(late);
  }

  #ask(request: SpawnerRequest): void {
    this.#child.send(request, (error) => {
      if (error !== null) this.#end(error.message);
    });
  }

  /** Has it give signs of life until it has answered. */
  #owe(id: number): void {
    if (this.#ended || !this.#hosts.has(id)) return;
    this.#owed.add(id);
    this.#pinging ??= setInterval(() => this.#ping(), this.#silenceMs / PINGS);
  }

  #paid(id: number): void {
    this.#owed.delete(id);
    if (this.#owed.size > 0) return;
    clearInterval(this.#pinging);
    this.#pinging = undefined;
  }

  #ping(): void {
    if (this.#pings++ >= PINGS) this.#end(`after ${this.#silenceMs} ms of silence`);
    else this.#ask({ type: "ping" });
  }

  #hear(message: SpawnerMessage, link: Socket | undefined): void {
    this.#pings = 0;
    if (message.type === "pong") return;
    const host = this.#hosts.get(message.id);
    if (host === undefined) {
      link?.destroy();
      return;
    }
    switch (message.type) {
      case "link":
        // Whoever gets it hears of errors himself.
        host.link = link?.on("error", () => {});
        return;
      case "started":
        host.start(message.pid);
        break;
      case "failed":
        this.#hosts.delete(message.id);
        host.fail(new PlatformError("CS_INTERNAL", message.message));
        break;
      case "ended":
        this.#hosts.delete(message.id);
        host.end(message.end);
    }
    this.#paid(message.id);
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#child.kill("SIGKILL");
    clearInterval(this.#pinging);
    const hosts = [...this.#hosts.values()];
    this.#hosts.clear();
    const gone = new SpawnerGone(why);
    for (const host of hosts) host.orphan(gone);
  }
}
