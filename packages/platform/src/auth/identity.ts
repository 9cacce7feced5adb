import type { Principal } from "@sous/contract";

/** Who a request comes from, as its token proved it. Frozen and shared between requests: never change one. */
export interface Identity {
  readonly principal: Principal;
  /** The tenant the token belongs to; `null` stands for whichever tenant the path names (`auth: none`). */
  readonly tenant: string | null;
  /** The user the token belongs to, where it belongs to one; `principal.sub` is the user's name then. */
  readonly userId?: string;
}
