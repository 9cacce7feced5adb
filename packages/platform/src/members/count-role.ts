import type { Member, Membership } from "./membership.ts";

/** One who is late may serve on; one who is leaving or gone gives its part back. */
const servesOn = ({ state }: Member): boolean => state === "live" || state === "late";

/**
 * Counts the processes of a role, this one among them: among how many what all may do together is shared out. Counted anew
 * when the membership has changed; else it is a look at a number.
 * @param id of this process, which counts whether or not the others know of it
 * @returns a function that gives the number, 1 or more
 */
export function createRoleCount(membership: () => Membership, id: string, role: string): () => number {
  let revision = -1;
  let count = 1;
  return () => {
    const current = membership();
    if (current.revision !== revision) {
      ({ revision } = current);
      const others = current.members.filter(
        (one) => one.id !== id && one.roles.includes(role) && servesOn(one),
      );
      count = others.length + 1;
    }
    return count;
  };
}
