import type { Sandbox } from "@sous/sandbox";

/** Slow slices after which a program is sent to a sandbox of its own. */
const STRIKES = 3;
const STRUCK_MAX = 1000;

/** A sandbox with what the fleet knows about it. */
export interface Host {
  sandbox: Sandbox;
  lastUsedMs: number;
  /** Programs whose home it is, with the time of their last use. */
  programs: Map<string, number>;
  /** The one program it is kept for, when that program is heavy. */
  only: string | undefined;
}

/** The sandboxes of one tenant. */
export class TenantHosts {
  readonly tenant: string;
  readonly hosts = new Set<Host>();
  readonly homes = new Map<string, Host>();
  /** Programs that held a slice too long or took a sandbox down: each runs in a sandbox of its own. */
  readonly heavy = new Set<string>();
  creating = 0;
  readonly #strikes = new Map<string, number>();

  constructor(tenant: string) {
    this.tenant = tenant;
  }

  /** @returns the host a program is at home in, if that host can take it now */
  home(programKey: string): Host | undefined {
    const host = this.homes.get(programKey);
    return host === undefined || host.sandbox.stalled ? undefined : host;
  }

  /** @returns the responsive shared host with the fewest programs */
  leastLoaded(): Host | undefined {
    let best: Host | undefined;
    for (const host of this.hosts) {
      if (host.sandbox.stalled || host.only !== undefined) continue;
      if (best === undefined || host.programs.size < best.programs.size) best = host;
    }
    return best;
  }

  settle(programKey: string, host: Host): void {
    this.homes.get(programKey)?.programs.delete(programKey);
    this.homes.set(programKey, host);
    host.programs.set(programKey, host.lastUsedMs);
  }

  add(sandbox: Sandbox, only: string | undefined, nowMs: number): Host {
    const host: Host = { sandbox, lastUsedMs: nowMs, programs: new Map(), only };
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
      home.programs.delete(programKey);
      this.homes.delete(programKey);
    }
  }
}
