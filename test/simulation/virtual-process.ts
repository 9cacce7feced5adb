import type { VirtualTime } from "./virtual-time.ts";

/** How often what goes wrong: chances of each call between a process and the outside. */
export interface Faults {
  lost: number;
  late: number;
}

export interface ProcessWorld {
  time: VirtualTime;
  random: () => number;
  faults: Faults;
}

/** A process of the simulation. Paused, it stands still as under SIGSTOP; dead, it does so for ever. */
export class VirtualProcess {
  readonly #world: ProcessWorld;
  #paused: Promise<void> | undefined;
  #resume: () => void = () => {};
  readonly #skewMs: number;
  /** Its own wall clock. */
  readonly clock: () => number;

  constructor(world: ProcessWorld) {
    this.#world = world;
    this.#skewMs = Math.floor(world.random() * 600 - 300);
    this.clock = () => world.time.wall() + this.#skewMs;
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  pause(): void {
    this.#paused ??= new Promise((resolve) => (this.#resume = resolve));
  }

  resume(): void {
    this.#paused = undefined;
    this.#resume();
  }

  async whenRunning(): Promise<void> {
    while (this.#paused !== undefined) await this.#paused;
  }

  readonly setTimer = (run: () => void, ms: number): (() => void) =>
    this.#world.time.setTimer(() => void this.whenRunning().then(run), ms);

  /** Something on its way to this process: late at times, and not before it runs. */
  async arrives(): Promise<void> {
    const { random, time, faults } = this.#world;
    if (random() < faults.late) {
      const ms = random() * 100;
      await new Promise<void>((resolve) => void time.setTimer(resolve, ms));
    }
    await this.whenRunning();
  }

  /** A port as it looks through a network: calls are late, lost, or done without an answer. */
  through<T extends object>(port: T): T {
    const { random, faults } = this.#world;
    const call = async (
      method: (...args: unknown[]) => Promise<unknown>,
      args: unknown[],
    ): Promise<unknown> => {
      await this.arrives();
      if (random() < faults.lost) throw new Error("lost before");
      const answer = await method.apply(port, args);
      await this.whenRunning();
      if (random() < faults.lost) throw new Error("lost after");
      return answer;
    };
    return new Proxy(port, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name);
        if (typeof found !== "function") return found;
        return (...args: unknown[]) => call(found as (...args: unknown[]) => Promise<unknown>, args);
      },
    });
  }
}
