import { MEMBER_KIND } from "../members/member-record.ts";

/** Kinds of resources that say who works on a store: what is copied from it leaves them behind. */
export const MOMENTARY_KINDS: readonly string[] = [MEMBER_KIND];
