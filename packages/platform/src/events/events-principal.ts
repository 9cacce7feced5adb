import type { Principal } from "@sous/contract";

/** Whom an event source runs functions as: the version's role list has to name one of these roles. */
export const EVENTS_PRINCIPAL: Readonly<Principal> = {
  sub: "sp:cs-event-sources",
  roles: ["role:worker", "sp:cs-event-sources"],
};
