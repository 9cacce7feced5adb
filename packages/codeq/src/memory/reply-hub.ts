import { PlatformError } from "@sous/contract";
import type { ReplyChannel } from "../codeq.ts";

type Receive<Result> = (result: Result) => void;

/** Where one request waits for its result. Addresses are used again, so that the table of them does not change. */
interface Seat<Result> {
  readonly address: string;
  requestId: string;
  receive: Receive<Result> | undefined;
  /** Free seats of its channel. */
  readonly free: Seat<Result>[];
}

/** Reply channels of this process; a result reaches its waiter within the call of `reply`. */
export class ReplyHub<Result> {
  readonly #seats = new Map<string, Seat<Result>>();
  readonly #report: (error: PlatformError) => void;
  #opened = 0;

  constructor(report: (error: PlatformError) => void) {
    this.#report = report;
  }

  open(): ReplyChannel<Result> {
    const name = `memory:${++this.#opened}`;
    const seats: Seat<Result>[] = [];
    const free: Seat<Result>[] = [];
    const add = (): Seat<Result> => {
      const seat = { address: `${name}#${seats.length}`, requestId: "", receive: undefined, free };
      seats.push(seat);
      this.#seats.set(seat.address, seat);
      return seat;
    };
    return {
      expect: (requestId, receive) => {
        const seat = free.pop() ?? add();
        seat.requestId = requestId;
        seat.receive = receive;
        return seat.address;
      },
      forget: (address, requestId) => {
        const seat = this.#seats.get(address);
        if (seat === undefined || seat.receive === undefined || seat.requestId !== requestId) return;
        seat.receive = undefined;
        free.push(seat);
      },
      [Symbol.asyncDispose]: () => {
        for (const { address } of seats) this.#seats.delete(address);
        return Promise.resolve();
      },
    };
  }

  reply(address: string, requestId: string, result: Result): boolean {
    const seat = this.#seats.get(address);
    const receive = seat?.receive;
    if (seat === undefined || receive === undefined || seat.requestId !== requestId) return false;
    seat.receive = undefined;
    seat.free.push(seat);
    try {
      receive(result);
    } catch (cause) {
      const message = "A waiting ingress threw at its result; see the cause.";
      this.#report(new PlatformError("CS_INTERNAL", message, { cause }));
    }
    return true;
  }

  close(): void {
    this.#seats.clear();
  }
}
