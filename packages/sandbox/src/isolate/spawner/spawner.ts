import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { PlatformError } from "@sous/contract";
import { killQuietly } from "../closing/kill-quietly.ts";
import type { HostEnd } from "./follow-end.ts";
import type { SpawnerMessage, StartRequest } from "./messages.ts";
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
  /** @throws CS_INTERNAL with what the launcher said, or when the spawner ends meanwhile */
  start(options: StartHostOptions): Promise<SpawnedHost>;
}

const FLAGS = ["--disable-warning=ExperimentalWarning"];
const STDERR_TAIL_BYTES = 2048;
/** Milliseconds a spawner has to end by itself. */
const CLOSE_MS = 1000;

/**
 * Starts a spawner, which is ready by the time the first host is asked for. One that ends takes its hosts with it, and
 * the next start begins with another.
 * @param file the program, `HOST_PROGRAMS.spawner`
 */
export function createSpawner(file: string): Spawner {
  let current: SpawnerProcess | undefined = new SpawnerProcess(file);
  return {
    start(options) {
      if (current === undefined || current.ended) current = new SpawnerProcess(file);
      return current.start(options);
    },
    async [Symbol.asyncDispose]() {
      await current?.close();
    },
  };
}

/** One host, as far as its spawner has told. */
class HostRecord {
  readonly #started = Promise.withResolvers<SpawnedHost>();
  readonly #parentPid: number;
  #pid: number | undefined;
  #end: HostEnd | undefined;
  #listener: ((end: HostEnd) => void) | undefined;
  link: Socket | undefined;

  constructor(parentPid: number) {
    this.#parentPid = parentPid;
  }

  get started(): Promise<SpawnedHost> {
    return this.#started.promise;
  }

  start(pid: number): void {
    const { link } = this;
    this.#pid = pid;
    if (link === undefined) {
      killQuietly(pid);
      this.fail("it had no link");
      return;
    }
    this.#started.resolve({
      pid,
      parentPid: this.#parentPid,
      link,
      kill: () => killQuietly(pid),
      onEnd: (listener) => {
        if (this.#end === undefined) this.#listener = listener;
        else listener(this.#end);
      },
    });
  }

  fail(message: string): void {
    this.link?.destroy();
    this.#started.reject(new PlatformError("CS_INTERNAL", message));
  }

  end(end: HostEnd): void {
    this.#end = end;
    if (this.#pid === undefined) this.fail(`a sandbox host ended while it was started: ${end.detail}`);
    else this.#listener?.(end);
  }

  /** Its parent is gone: the kernel ends it, where it can. */
  orphan(detail: string): void {
    if (this.#pid !== undefined) killQuietly(this.#pid);
    this.end({ code: null, signal: null, detail });
  }
}

class SpawnerProcess {
  readonly #child: ChildProcess;
  readonly #hosts = new Map<number, HostRecord>();
  #lastId = 0;
  #said = "";
  ended = false;

  constructor(file: string) {
    // A session of its own: the Ctrl-C of a terminal is for the platform, which still has calls to end.
    this.#child = spawn(process.execPath, [...FLAGS, file], {
      env: {},
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
    this.#child.once("error", (error) => this.#end(error.message));
    this.#child.once("exit", (code, signal) => this.#end(`with ${signal ?? code} ${this.#said.trim()}`));
  }

  start(options: StartHostOptions): Promise<SpawnedHost> {
    const id = ++this.#lastId;
    const host = new HostRecord(this.#child.pid ?? 0);
    this.#hosts.set(id, host);
    const request: StartRequest = { id, options };
    this.#child.send(request, (error) => {
      if (error !== null) this.#end(error.message);
    });
    return host.started;
  }

  /** Once its hosts have ended. */
  async close(): Promise<void> {
    if (this.ended) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin?.end();
    const late = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_MS);
    await exited;
    clearTimeout(late);
  }

  #hear(message: SpawnerMessage, link: Socket | undefined): void {
    const host = this.#hosts.get(message.id);
    if (host === undefined) {
      link?.destroy();
      return;
    }
    switch (message.type) {
      case "link":
        host.link = link;
        return;
      case "started":
        host.start(message.pid);
        return;
      case "failed":
        this.#hosts.delete(message.id);
        host.fail(message.message);
        return;
      case "ended":
        this.#hosts.delete(message.id);
        host.end(message.end);
    }
  }

  #end(why: string): void {
    if (this.ended) return;
    this.ended = true;
    this.#child.kill("SIGKILL");
    const hosts = [...this.#hosts.values()];
    this.#hosts.clear();
    for (const host of hosts) host.orphan(`the process that starts sandbox hosts ended ${why}`);
  }
}
