import type { Sandbox, SandboxProgram } from "@sous/sandbox";

/** Slow slices after which a program is sent to a sandbox of its own. */
const STRIKES = 3;
const STRUCK_MAX = 1000;

/** The room a program with an isolate of its own takes, in that of one that shares its isolate: 1.8 to 0.3 MiB. */
export const ISOLATE_WEIGHT = 5;

/** A program at its home. */
interface Resident {
  usedMs: number;
  /** The room it takes, `ISOLATE_WEIGHT` for an isolate. */
  weight: number;
}

/** A sandbox with what the fleet knows about it. */
export class Host {
  readonly sandbox: Sandbox;
  lastUsedMs: number;
  /** The one program it is kept for, when that program is heavy. */
  readonly only: string | undefined;
  readonly #programs = new Map<string, Resident>();
  #weight = 0;

  constructor(sandbox: Sandbox, only: string | undefined, nowMs: number) {
    this.sandbox = sandbox;
    this.only = only;
    this.lastUsedMs = nowMs;
  }

  /** Programs whose home it is. */
  get programs(): ReadonlyMap<string, Readonly<Resident>> {
    return this.#programs;
  }

  /** The room they take together, `ISOLATE_WEIGHT` for an isolate. */
  get weight(): number {
    return this.#weight;
  }

  take({ key, isolation }: SandboxProgram, nowMs: number): void {
    this.leave(key);
    const weight = isolation === "shared" ? 1 : ISOLATE_WEIGHT;
    this.#programs.set(key, { usedMs: nowMs, weight });
    this.#weight += weight;
  }

  use(programKey: string, nowMs: number): void {
    this.lastUsedMs = nowMs;
    const resident = this.#programs.get(programKey);
    if (resident !== undefined) resident.usedMs = nowMs;
  }

  leave(programKey: string): void {
    this.#weight -= this.#programs.get(programKey)?.weight ?? 0;
    this.#programs.delete(programKey);
  }
}

/** The sandboxes of one tenant. */
export class TenantHosts {
  readonly tenant: string;
  readonly hosts = new Set<Host>();
  readonly homes = new Map<string, Host>();
  /** Programs that held a slice too long or took a sandbox down: each runs in a sandbox of its own. */
  readonly heavy = new Set<string>();
  creating = 0;
  /** When a program was last to be moved from a sandbox that was behind. */
  relievedMs = 0;
  readonly #strikes = new Map<string, number>();

  constructor(tenant: string) {
    this.tenant = tenant;
  }

  /** @returns the host a program is at home in, if that host can take it now */
  home(programKey: string): Host | undefined {
    const host = this.homes.get(programKey);
    return host === undefined || host.sandbox.stalled ? undefined : host;
  }

  /** @returns the responsive shared host whose programs take least room, one with memory to spare if there is one */
  leastLoaded(): Host | undefined {
    let best: Host | undefined;
    for (const host of this.hosts) {
      if (host.sandbox.stalled || host.only !== undefined) continue;
      const isLighter =
        best?.sandbox.crowded === host.sandbox.crowded ? host.weight < best.weight : !host.sandbox.crowded;
      if (best === undefined || isLighter) best = host;
    }
    return best;
  }

  settle(program: SandboxProgram, host: Host, nowMs: number): void {
    this.homes.get(program.key)?.leave(program.key);
    this.homes.set(program.key, host);
    host.take(program, nowMs);
  }

  add(sandbox: Sandbox, only: string | undefined, nowMs: number): Host {
    const host = new Host(sandbox, only, nowMs);
    this.hosts.add(host);
    return host;
  }

  remove(host: Host): void {
    this.hosts.delete(host);
    for (const key of host.programs.keys()) if (this.homes.get(key) === host) this.homes.delete(key);
  }

  /**
   * Counts a slice that lasted too long. One may be the machine's doing, or a first use of something large.
   * @returns whether it was one too many
   */
  strike(programKey: string): boolean {
    const strikes = (this.#strikes.get(programKey) ?? 0) + 1;
    if (this.#strikes.size > STRUCK_MAX) this.#strikes.clear();
    this.#strikes.set(programKey, strikes);
    return strikes >= STRIKES;
  }

  /** Marks a program as heavy: its next activation goes to a host of its own. */
  condemn(programKey: string): void {
    this.heavy.add(programKey);
    const home = this.homes.get(programKey);
    if (home !== undefined && home.only !== programKey) {
      home.leave(programKey);
      this.homes.delete(programKey);
    }
  }
}
