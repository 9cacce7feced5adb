import assert from "node:assert/strict";
import { test } from "node:test";
import { launchFilter, lockedFilter } from "./host-filters.ts";
import { type FilterArch, type SystemCall, systemCallNumber } from "./system-call-numbers.ts";

const AUDIT: Record<FilterArch, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ANSWERS: Record<number, string> = {
  0x7fff0000: "allow",
  0x80000000: "kill",
  0x00050001: "EPERM",
  0x00050026: "ENOSYS",
};
const PID = 77;

/** Runs a filter as the kernel does, on one call. */
function decide(filter: Buffer, audit: number, number: number, values: readonly number[] = []): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, value] of values.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * index);
  let loaded = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const code = filter.readUInt16LE(at * 8);
    const [ifTrue, ifFalse] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const value = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x20) loaded = data.readUInt32LE(value);
    else if (code === 0x54) loaded = (loaded & value) >>> 0;
    else if (code === 0x15) at += loaded === value ? ifTrue : ifFalse;
    else if (code === 0x35) at += loaded >= value ? ifTrue : ifFalse;
    else if (code === 0x06) return ANSWERS[value] ?? `0x${value.toString(16)}`;
    else assert.fail(`no instruction ${code}`);
  }
  return assert.fail("the filter ran past its end");
}

for (const arch of ["x64", "arm64"] as const) {
  const of =
    (filter: Buffer) =>
    (call: SystemCall, ...values: number[]): string =>
      decide(filter, AUDIT[arch], systemCallNumber(call, arch) ?? -1, values);
  const launched = of(launchFilter(arch));
  const locked = of(lockedFilter(arch, PID));

  test(`${arch}: at launch files may be read and threads made, nothing written, connected or forked`, () => {
    assert.equal(launched("openat", 0, 0, 0o2000000), "allow");
    assert.equal(launched("openat", 0, 0, 0o1), "EPERM");
    assert.equal(launched("openat", 0, 0, 0o100), "EPERM");
    assert.equal(launched("execve"), "allow");
    assert.equal(launched("clone", 0x3d0f00), "allow");
    assert.equal(launched("clone", 17), "EPERM");
    assert.equal(launched("clone", 0x10010100), "EPERM");
    assert.equal(launched("socket", 1, 1, 0), "EPERM");
    assert.equal(launched("prlimit64", 0, 7, 1), "allow");
    assert.equal(launched("prlimit64", 1, 7, 1), "EPERM");
    assert.equal(launched("io_uring_setup"), "ENOSYS");
    assert.equal(launched("ptrace"), "kill");
  });

  test(`${arch}: once locked nothing is opened or run, and signals reach the host alone`, () => {
    for (const call of ["write", "read", "pwrite64", "futex", "epoll_pwait", "mmap"] as const) {
      assert.equal(locked(call), "allow", call);
    }
    assert.equal(locked("openat", 0, 0, 0), "EPERM");
    assert.equal(locked("execve"), "kill");
    assert.equal(locked("clone", 0x3d0f00), "allow");
    assert.equal(locked("clone3"), "ENOSYS");
    assert.equal(locked("tgkill", PID, PID, 6), "allow");
    assert.equal(locked("tgkill", 1, 1, 9), "EPERM");
    assert.equal(locked("prlimit64", 0, 7, 0), "allow");
    assert.equal(locked("prlimit64", 0, 7, 2 ** 40), "EPERM");
    assert.equal(locked("seccomp"), "EPERM");
    assert.equal(locked("prctl", 15), "allow");
    assert.equal(locked("prctl", 4), "EPERM");
  });

  test(`${arch}: calls of another interface end the process`, () => {
    for (const filter of [launchFilter(arch), lockedFilter(arch, PID)]) {
      assert.equal(decide(filter, 0x40000003, 11), "kill");
      if (arch === "x64") assert.equal(decide(filter, AUDIT.x64, 0x40000000 + 39), "kill");
    }
  });
}
