/** Less than this is no jump but a clock that is kept right. */
const JUMP_MS = 500;

/** Notices when the clock of the machine is set back between two looks. */
export interface ClockWatch {
  /** @returns whether it was set back since the last look */
  wasSetBack(): boolean;
}

/**
 * @param clock epoch milliseconds, which somebody may set
 * @param monotonic milliseconds that only go on
 */
export function createClockWatch(clock: () => number, monotonic: () => number): ClockWatch {
  let offset = clock() - monotonic();
  return {
    wasSetBack() {
      const before = offset;
      offset = clock() - monotonic();
      return offset < before - JUMP_MS;
    },
  };
}
