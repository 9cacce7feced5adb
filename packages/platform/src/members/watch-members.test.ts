import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSqliteStore, type ResourceStore } from "@sous/store";
import { type Announcement, announceMember, memberKey } from "./announce-member.ts";
import { MEMBER_KIND, MEMBERS_MAX, readMember } from "./member-record.ts";
import { createMemberWatch } from "./watch-members.ts";

const BEAT_MS = 1000;
/** Beats of tests that are looked for by hand. */
const NEVER_MS = 3_600_000;
const NO_LOAD = { running: 0, waiting: 0, warm: "", cached: "" };

/** A store that can be taken away, or its writes alone, with a clock that stands still; the first announced is this process. */
async function world(t: { after(run: () => Promise<void>): void }, heartbeatMs = NEVER_MS) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const { resources: real } = stack.use(await createSqliteStore({ path: ":memory:" }));
  const time = { nowMs: 1_000_000 };
  const away = { is: false, forWrites: false };
  const faults: unknown[] = [];
  const through = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) => {
    return async (...args: Args): Promise<T> => {
      if (away.is) throw new TypeError("the store is away");
      return await call(...args);
    };
  };
  const write = <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) =>
    through(async (...args: Args): Promise<T> => {
      if (away.forWrites) throw new TypeError("the store takes no writes");
      return await call(...args);
    });
  const resources: ResourceStore = {
    create: write(real.create.bind(real)),
    get: through(real.get.bind(real)),
    list: through(real.list.bind(real)),
    all: through(real.all.bind(real)),
    replace: write(real.replace.bind(real)),
    delete: write(real.delete.bind(real)),
  };
  const common = {
    resources,
    now: () => time.nowMs,
    random: () => 0.5,
    onFault: (error: unknown) => void faults.push(error),
  };
  let self: Announcement | undefined;
  const canBeat = (): boolean => self?.canBeat() ?? true;
  const watch = stack.use(createMemberWatch({ ...common, canBeat, heartbeatMs: BEAT_MS }));
  const announce = async (id: string, report: () => typeof NO_LOAD = () => NO_LOAD) => {
    const announced = await announceMember({
      ...common,
      heartbeatMs,
      report,
      self: { id, roles: ["invoker"], address: "", version: "1", started_at_ms: 1, capacity: 9, cpus: 1 },
    });
    self ??= announced;
    return stack.use(announced);
  };
  const states = (): string =>
    watch
      .current()
      .members.map(({ id, state }) => `${id}:${state}`)
      .join(" ");
  return { real, time, away, faults, watch, announce, states };
}

describe("membership in the store", () => {
  test("members find one another, with what they said last, and hear who comes and goes", async (t) => {
    const { watch, announce, states } = await world(t);
    const heard: string[] = [];
    watch.onChange(({ members }) => heard.push(members.map(({ id }) => id).join(" ")));
    await announce("m-a", () => ({ ...NO_LOAD, running: 3, warm: "0000000a" }));
    const second = await announce("m-b");
    assert.equal(await watch.look(), true);
    assert.equal(states(), "m-a:live m-b:live");
    const [first] = watch.current().members;
    assert.equal(first?.running, 3);
    assert.ok(first.warm.has(10));
    await second.drain();
    await watch.look();
    assert.equal(states(), "m-a:live m-b:draining");
    await second.withdraw();
    await watch.look();
    assert.equal(states(), "m-a:live");
    await watch.look();
    assert.deepEqual(heard, ["m-a m-b", "m-a m-b", "m-a"], "nothing is told when nothing changed");
  });

  test("a member beats by itself, each time with what is true then", async (t) => {
    let running = 0;
    const { real, announce } = await world(t, 5);
    await announce("m-a", () => ({ ...NO_LOAD, running: ++running }));
    let record = await real.get(MEMBER_KIND, memberKey("m-a"));
    const begun = performance.now();
    while ((record?.generation ?? 0) < 4 && performance.now() - begun < 10_000) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      record = await real.get(MEMBER_KIND, memberKey("m-a"));
    }
    assert.ok((record?.generation ?? 0) >= 4);
    assert.equal(readMember(record?.record_json ?? "")?.running, record?.generation);
  });

  test("while the store is away the last membership stands, for hours, and members are found again after it", async (t) => {
    const { watch, announce, states, away, time, faults } = await world(t);
    const first = await announce("m-a");
    await announce("m-b");
    await watch.look();
    const seen = watch.current();
    away.is = true;
    for (let hour = 0; hour < 3; hour++) {
      time.nowMs += NEVER_MS;
      await first.drain();
      assert.equal(await watch.look(), false);
    }
    assert.equal(watch.current(), seen);
    assert.equal(faults.length, 2, "one report of each that was cut off, not one a beat");
    away.is = false;
    await watch.look();
    assert.equal(states(), "m-a:live m-b:live", "nobody is old because nobody could write");
    for (let beat = 0; beat < 6; beat++) {
      time.nowMs += BEAT_MS;
      await first.drain();
      await watch.look();
    }
    assert.equal(states(), "m-a:draining m-b:lost", "from then on a silent member is lost");
  });

  test("while the store is read but takes no writes nobody grows old, and from the first heartbeat on time counts again", async (t) => {
    const { watch, announce, states, away, time } = await world(t);
    const self = await announce("m-a");
    await announce("m-b");
    await watch.look();
    away.forWrites = true;
    const beat = async (): Promise<void> => {
      time.nowMs += BEAT_MS;
      await self.drain();
      await watch.look();
    };
    for (let at = 0; at < 50; at++) await beat();
    assert.equal(states(), "m-a:live m-b:live");
    away.forWrites = false;
    for (let at = 0; at < 5; at++) await beat();
    assert.equal(states(), "m-a:draining m-b:late");
    await beat();
    assert.equal(states(), "m-a:draining m-b:lost");
  });

  test("a heartbeat that hangs is none that was written lately", async (t) => {
    const { announce, time } = await world(t);
    const member = await announce("m-a");
    assert.equal(member.canBeat(), true);
    time.nowMs += 2 * NEVER_MS + 1;
    assert.equal(member.canBeat(), false);
    await member.drain();
    assert.equal(member.canBeat(), true);
  });

  test("a member that was taken for gone comes back with its next beat", async (t) => {
    const { real, watch, announce, states } = await world(t);
    const member = await announce("m-a");
    await real.delete(MEMBER_KIND, memberKey("m-a"));
    await watch.look();
    assert.equal(states(), "");
    await member.drain();
    await watch.look();
    assert.equal(states(), "m-a:draining");
  });

  test("an answer that was lost does no harm: the next beat knows better", async (t) => {
    const { real, watch, announce, states } = await world(t);
    const member = await announce("m-a");
    const found = await real.get(MEMBER_KIND, memberKey("m-a"));
    await real.replace(MEMBER_KIND, memberKey("m-a"), 1, found?.record_json ?? "");
    await member.drain();
    await member.drain();
    await watch.look();
    assert.equal(states(), "m-a:draining");
  });

  test("a store that is away is no reason not to start", async (t) => {
    const { watch, announce, states, away } = await world(t);
    away.is = true;
    const member = await announce("m-a");
    away.is = false;
    await member.drain();
    await watch.look();
    assert.equal(states(), "m-a:draining");
  });

  test("a cluster has a bound of members, and records of other releases are passed over", async (t) => {
    const { real, watch, announce, states, faults } = await world(t);
    await real.create(MEMBER_KIND, memberKey("m-of-tomorrow"), '{"schema":"cs.member.v9"}', 9);
    await Promise.all(
      Array.from({ length: MEMBERS_MAX - 1 }, (_, at) =>
        real.create(MEMBER_KIND, memberKey(`m-${at}`), "{}", MEMBERS_MAX),
      ),
    );
    await announce("m-one-too-many");
    assert.equal(faults.length, 1);
    assert.match(String(faults[0]), /holds 1024 of kind member/);
    await watch.look();
    assert.equal(states(), "");
    assert.equal(watch.unreadable(), MEMBERS_MAX);
  });
});
