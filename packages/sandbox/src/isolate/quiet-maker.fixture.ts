import { loadGuestBundle } from "./guest-bundle.ts";
import { GuestCode, type PlaceEvents, type PlaceMaker } from "./host/place.ts";

/** What places are made of in a host, where nobody hears what code in them says unless a test does. */
export async function quietMaker(events: Partial<PlaceEvents> = {}): Promise<PlaceMaker> {
  const { core, parts } = await loadGuestBundle();
  const nothing = (): void => {};
  return {
    core: new GuestCode(core, "sous:core"),
    parts: new Map(Object.entries(parts).map(([name, text]) => [name, new GuestCode(text, `sous:${name}`)])),
    events: {
      reply: nothing,
      fail: nothing,
      call: nothing,
      log: nothing,
      timer: () => true,
      clearTimer: nothing,
      ...events,
    },
    randomBytes: (length) => Buffer.alloc(length),
  };
}
