import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { createTiming } from "./timing.ts";

const timing = createTiming();
const moments = (cron: string, timezone: string, from: string, count: number): string[] =>
  timing
    .upcoming({ cron, timezone }, timing.next({ cron, timezone }, Date.parse(from)), count)
    .map((ms) => new Date(ms).toISOString().replace(".000Z", "Z"));

test("an interval goes on from the moment it is asked for", () => {
  assert.equal(timing.next({ every_seconds: 90 }, 1_000_500), 1_090_500);
  assert.deepEqual(timing.upcoming({ every_seconds: 1 }, 5000, 3), [5000, 6000, 7000]);
  assert.deepEqual(timing.upcoming({ every_seconds: 1 }, null, 3), []);
});

test("cron has five fields, or six with seconds, or a name", () => {
  const from = "2027-02-27T23:59:58Z";
  assert.deepEqual(moments("*/15 * * * *", "UTC", from, 2), ["2027-02-28T00:00:00Z", "2027-02-28T00:15:00Z"]);
  assert.deepEqual(moments("*/20 * * * * *", "UTC", from, 2), [
    "2027-02-28T00:00:00Z",
    "2027-02-28T00:00:20Z",
  ]);
  assert.deepEqual(moments("@monthly", "UTC", from, 2), ["2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z"]);
  assert.deepEqual(moments("0 12 L * *", "UTC", from, 2), ["2027-02-28T12:00:00Z", "2027-03-31T12:00:00Z"]);
  assert.deepEqual(moments("0 9 * * MON#2", "UTC", from, 1), ["2027-03-08T09:00:00Z"]);
  assert.deepEqual(moments("0 0 29 2 *", "UTC", from, 2), ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
});

test("a moment itself is not after it", () => {
  assert.deepEqual(moments("0 0 * * *", "UTC", "2027-03-01T00:00:00Z", 1), ["2027-03-02T00:00:00Z"]);
});

// Europe/Paris: on 2027-03-28 02:00 becomes 03:00 (01:00 UTC), on 2027-10-31 03:00 becomes 02:00 (01:00 UTC).
test("in spring a time that is left out runs at the end of the gap, once, and the next day as ever", () => {
  assert.deepEqual(moments("30 2 * * *", "Europe/Paris", "2027-03-27T00:00:00Z", 3), [
    "2027-03-27T01:30:00Z",
    "2027-03-28T01:00:00Z",
    "2027-03-29T00:30:00Z",
  ]);
  assert.deepEqual(moments("*/30 * * * *", "Europe/Paris", "2027-03-28T00:29:00Z", 4), [
    "2027-03-28T00:30:00Z",
    "2027-03-28T01:00:00Z",
    "2027-03-28T01:30:00Z",
    "2027-03-28T02:00:00Z",
  ]);
});

test("in autumn a time that comes twice runs the first time, and * runs through both hours", () => {
  assert.deepEqual(moments("30 2 * * *", "Europe/Paris", "2027-10-30T12:00:00Z", 2), [
    "2027-10-31T00:30:00Z",
    "2027-11-01T01:30:00Z",
  ]);
  assert.deepEqual(moments("*/30 * * * *", "Europe/Paris", "2027-10-31T00:01:00Z", 4), [
    "2027-10-31T00:30:00Z",
    "2027-10-31T01:00:00Z",
    "2027-10-31T01:30:00Z",
    "2027-10-31T02:00:00Z",
  ]);
});

test("lists and ranges of hours are as single ones on both days", () => {
  assert.deepEqual(moments("0 2,14 * * *", "Europe/Paris", "2027-03-27T12:59:00Z", 3), [
    "2027-03-27T13:00:00Z",
    "2027-03-28T01:00:00Z",
    "2027-03-28T12:00:00Z",
  ]);
  assert.deepEqual(moments("0 2,14 * * *", "Europe/Paris", "2027-10-30T22:00:00Z", 3), [
    "2027-10-31T00:00:00Z",
    "2027-10-31T13:00:00Z",
    "2027-11-01T01:00:00Z",
  ]);
  assert.deepEqual(moments("30 1-4 * * *", "Europe/Paris", "2027-10-30T22:00:00Z", 5), [
    "2027-10-30T23:30:00Z",
    "2027-10-31T00:30:00Z",
    "2027-10-31T02:30:00Z",
    "2027-10-31T03:30:00Z",
    "2027-11-01T00:30:00Z",
  ]);
  assert.deepEqual(moments("0,30 2 * * *", "Europe/Paris", "2027-03-28T00:00:00Z", 2), [
    "2027-03-28T01:00:00Z",
    "2027-03-29T00:00:00Z",
  ]);
  assert.deepEqual(moments("0,30 2 * * *", "Europe/Paris", "2027-10-31T00:15:00Z", 2), [
    "2027-10-31T00:30:00Z",
    "2027-11-01T01:00:00Z",
  ]);
  assert.deepEqual(moments("0 1,13 * * *", "America/New_York", "2027-11-07T04:00:00Z", 3), [
    "2027-11-07T05:00:00Z",
    "2027-11-07T18:00:00Z",
    "2027-11-08T06:00:00Z",
  ]);
  // Asked in the hour that comes the second time.
  assert.deepEqual(moments("* * 2 * * *", "Europe/Paris", "2027-10-31T01:10:00Z", 1), [
    "2027-11-01T01:00:00Z",
  ]);
});

test("days that begin at one o'clock, and clocks that change by half an hour", () => {
  // Beirut leaves out midnight on 2027-03-28; Lord Howe goes from +11 to +10:30 at 02:00 on 2027-04-04.
  assert.deepEqual(moments("0 0 * * *", "Asia/Beirut", "2027-03-27T12:00:00Z", 2), [
    "2027-03-27T22:00:00Z",
    "2027-03-28T21:00:00Z",
  ]);
  assert.deepEqual(moments("45 1 * * *", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", 2), [
    "2027-04-03T14:45:00Z",
    "2027-04-04T15:15:00Z",
  ]);
});

test("the other side of the ocean changes on its own days", () => {
  assert.deepEqual(moments("30 2 * * *", "America/New_York", "2027-03-13T12:00:00Z", 2), [
    "2027-03-14T07:00:00Z",
    "2027-03-15T06:30:00Z",
  ]);
  assert.deepEqual(moments("30 1 * * *", "America/New_York", "2027-11-06T12:00:00Z", 2), [
    "2027-11-07T05:30:00Z",
    "2027-11-08T06:30:00Z",
  ]);
  assert.deepEqual(moments("0 0 * * *", "Asia/Kathmandu", "2027-01-01T00:00:00Z", 1), [
    "2027-01-01T18:15:00Z",
  ]);
});

test("what never comes has no next moment", () => {
  assert.equal(timing.next({ cron: "0 0 30 2 *" }, 0), null);
});

test("what is no expression or no zone is refused with what is wrong", () => {
  const refused = (cron: string, timezone: string, message: RegExp): void =>
    assert.throws(
      () => timing.next({ cron, timezone }, 0),
      (error) =>
        error instanceof PlatformError &&
        error.code === "CS_VALIDATION_FAILED" &&
        message.test(error.message),
      `${cron} ${timezone}`,
    );
  refused("* * * *", "UTC", /five fields/);
  refused("* * * * * * 2030", "UTC", /five fields/);
  refused("2027-01-01T00:00:00", "UTC", /five fields/);
  refused("@reboot", "UTC", /five fields/);
  refused("61 * * * *", "UTC", /cron is not valid/);
  refused("* * * * FOO", "UTC", /cron is not valid/);
  refused("* * * * *", "Europe/Atlantis", /time zone/);
});
