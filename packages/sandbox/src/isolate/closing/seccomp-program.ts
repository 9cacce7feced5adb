import { type FilterArch, type SystemCall, systemCallNumber } from "./system-call-numbers.ts";

/** A condition on one argument of a system call; pointers are compared whole, everything else by its low 32 bits. */
export type ArgumentTest =
  | { argument: number; is: number }
  | { argument: number; mask: number; is: number }
  | { argument: number; isNull: true };

/** A system call that is allowed when every test holds; several rules for one call are alternatives. */
export interface AllowRule {
  call: SystemCall;
  when?: readonly ArgumentTest[];
}

/** What a filter does: whatever it does not name fails with EPERM. */
export interface FilterRules {
  allow: readonly AllowRule[];
  /** Calls that answer as if the kernel did not know them, so that callers fall back to older ones. */
  unknown: readonly SystemCall[];
  /** Calls that end the process: nothing that is ours ever makes them. */
  kill: readonly SystemCall[];
}

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const AND = 0x54;
const RETURN = 0x06;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;

/** Offsets in `struct seccomp_data`, little endian. */
const OFFSET = { number: 0, arch: 4, arguments: 16 } as const;
const AUDIT_ARCH: Record<FilterArch, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** System calls from here on belong to the x32 interface, which has its own numbers for the same calls. */
const X32_BIT = 0x40000000;
const INSTRUCTIONS_MAX = 4096;
const INSTRUCTION_BYTES = 8;

/**
 * Assembles a seccomp filter: a program of classic BPF as `seccomp(2)` and bubblewrap take it.
 * Unconditional rules come first in the order given, so that frequent calls should stand at the top; the
 * kernel remembers them for good and does not run the program for them again.
 * @see https://docs.kernel.org/userspace-api/seccomp_filter.html
 */
export function assembleFilter(rules: FilterRules, arch: FilterArch): Buffer {
  const program: Instruction[] = [
    [LOAD, 0, 0, OFFSET.arch],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCH[arch]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, OFFSET.number],
  ];
  if (arch === "x64") program.push([JUMP_AT_LEAST, 0, 1, X32_BIT], [RETURN, 0, 0, KILL_PROCESS]);
  const on = (call: SystemCall, body: readonly Instruction[]): void => {
    const number = systemCallNumber(call, arch);
    if (number !== undefined) program.push([JUMP_EQUAL, 0, body.length, number], ...body);
  };
  const plain = rules.allow.filter((rule) => rule.when === undefined);
  for (const { call } of plain) on(call, [[RETURN, 0, 0, ALLOW]]);
  const tested = Map.groupBy(
    rules.allow.filter((rule) => rule.when !== undefined),
    (rule) => rule.call,
  );
  for (const [call, alternatives] of tested) on(call, testsOf(alternatives));
  for (const call of rules.unknown) on(call, [[RETURN, 0, 0, ERRNO | ENOSYS]]);
  for (const call of rules.kill) on(call, [[RETURN, 0, 0, KILL_PROCESS]]);
  program.push([RETURN, 0, 0, ERRNO | EPERM]);
  return encode(program);
}

/** Tries one alternative after the other; the last word is EPERM, as the number is not loaded any more. */
function testsOf(alternatives: readonly AllowRule[]): Instruction[] {
  const body = alternatives.flatMap(({ when = [] }) => {
    const checks = when.flatMap(checksOf);
    // A failed check jumps behind this alternative, which ends in its RETURN.
    const resolved = checks.map(([code, ifTrue, , value], index): Instruction =>
      code === JUMP_EQUAL ? [code, ifTrue, checks.length - index, value] : [code, ifTrue, 0, value],
    );
    return [...resolved, [RETURN, 0, 0, ALLOW] as const];
  });
  return [...body, [RETURN, 0, 0, ERRNO | EPERM]];
}

function checksOf(test: ArgumentTest): Instruction[] {
  const low = OFFSET.arguments + 8 * test.argument;
  if ("isNull" in test) {
    return [
      [LOAD, 0, 0, low],
      [JUMP_EQUAL, 0, 0, 0],
      [LOAD, 0, 0, low + 4],
      [JUMP_EQUAL, 0, 0, 0],
    ];
  }
  const masked: Instruction[] = "mask" in test ? [[AND, 0, 0, test.mask]] : [];
  return [[LOAD, 0, 0, low], ...masked, [JUMP_EQUAL, 0, 0, test.is]];
}

function encode(program: readonly Instruction[]): Buffer {
  if (program.length > INSTRUCTIONS_MAX) throw new RangeError("the filter has too many instructions");
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    const at = index * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(ifTrue, at + 2);
    bytes.writeUInt8(ifFalse, at + 3);
    bytes.writeUInt32LE(value >>> 0, at + 4);
  }
  return bytes;
}
