import ffi from "node:ffi";
import { filterArch, type SystemCall, systemCallNumber } from "./system-call-numbers.ts";

/** Makes system calls of this process, on the calling thread. */
export interface SystemCalls {
  /**
   * @param values numbers, or memory that the kernel reads or writes
   * @returns what the kernel answers, or the error number, negative
   */
  call(name: SystemCall, ...values: (number | bigint | Uint8Array)[]): number;
}

const ARGUMENTS_MAX = 6;

/** @returns `undefined` where there is no table of system calls: another system or processor */
export function openSystemCalls(): SystemCalls | undefined {
  const arch = filterArch();
  if (process.platform !== "linux" || arch === undefined) return undefined;
  const { functions } = ffi.dlopen(null, {
    syscall: { arguments: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], return: "i64" },
    __errno_location: { arguments: [], return: "pointer" },
  });
  return {
    call(name, ...values) {
      const number = systemCallNumber(name, arch);
      if (number === undefined) return -38;
      const padded = [...values, ...Array<number>(ARGUMENTS_MAX - values.length).fill(0)];
      const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = padded.map((value) =>
        value instanceof Uint8Array ? BigInt(ffi.getRawPointer(value)) : BigInt(value),
      );
      const answer = functions.syscall(BigInt(number), a, b, c, d, e, f);
      return answer >= 0n ? Number(answer) : -ffi.getInt32(functions.__errno_location(), 0);
    },
  };
}
