import { hashText } from "./hash-text.ts";
import type { Member } from "./membership.ts";

/** How long a member that let a call wait is left alone: doubled each time, milliseconds. */
const AVOIDED_MS = 1000;
const AVOIDED_MAX_MS = 10_000;

/** What one process knows of the load of a member: what the member said last, and what was sent there since. */
export class MemberLoad {
  readonly hash: number;
  member: Member;
  /** Calls of this process that are there now. */
  mine = 0;
  /** As many were there when the member's report was read. */
  #mineThen = 0;
  #avoidedUntilMs = 0;
  #strikes = 0;

  constructor(member: Member) {
    this.member = member;
    this.hash = hashText(member.id);
  }

  /** Takes in what the member said of itself. */
  hear(member: Member): void {
    if (member.generation !== this.member.generation) this.#mineThen = this.mine;
    this.member = member;
  }

  /** Activations it has in hand, as far as is known here. */
  get load(): number {
    const { running, waiting } = this.member;
    return Math.max(this.mine, running + waiting + this.mine - this.#mineThen);
  }

  /** Whether calls may be sent to it; one that let a call wait gets a single one first. */
  isTrusted(nowMs: number): boolean {
    return this.#strikes === 0 || (nowMs >= this.#avoidedUntilMs && this.mine === 0);
  }

  /** It answered. */
  trust(): void {
    this.#strikes = 0;
  }

  /** It let a call wait that it should have taken at once. */
  avoid(nowMs: number): void {
    // Those that were sent together are one offence.
    if (nowMs < this.#avoidedUntilMs) return;
    this.#avoidedUntilMs = nowMs + Math.min(AVOIDED_MAX_MS, AVOIDED_MS * 2 ** Math.min(this.#strikes, 10));
    this.#strikes++;
  }
}
