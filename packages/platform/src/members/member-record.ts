import { createParser } from "@sous/contract";
import Type, { type Static } from "typebox";

/** What a member is kept as in the store. */
export const MEMBER_KIND = "member";
/** Most members of a cluster, those that are gone but not removed yet counted as well. */
export const MEMBERS_MAX = 1024;
/** Most versions and bundles a member tells of; the lately used ones come first. */
export const DIGESTS_MAX = 512;
/** Hexadecimal digits of one digest. */
const DIGEST_LENGTH = 8;
/** Longest record that is read at all: another release may have written it. */
const RECORD_LENGTH_MAX = 32 * 1024;

const Count = Type.Integer({ minimum: 0, maximum: 1_000_000 });
const Moment = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Digests = Type.String({
  pattern: `^([0-9a-f]{${DIGEST_LENGTH}})*$`,
  maxLength: DIGESTS_MAX * DIGEST_LENGTH,
});

/**
 * What a process says of itself in the store, again with each heartbeat. Fields this release does not know are passed
 * over: a newer one may have written them.
 */
export const MemberRecord = Type.Object({
  schema: Type.Literal("cs.member.v1"),
  /** Of this start of the process; the next one has another. */
  id: Type.String({ pattern: "^[a-z][a-z0-9-]{2,63}$" }),
  roles: Type.Array(Type.String({ pattern: "^[a-z][a-z-]{0,31}$" }), { maxItems: 16 }),
  /** Where it answers over HTTP; empty where it does not. */
  address: Type.String({ maxLength: 256, pattern: "^[\\x21-\\x7e]*$" }),
  version: Type.String({ maxLength: 64, pattern: "^[\\x21-\\x7e]*$" }),
  started_at_ms: Moment,
  /** When this was written, by the writer's clock. */
  beat_at_ms: Moment,
  draining: Type.Boolean(),
  /** Activations it takes at once; 0 for a process that runs none. */
  capacity: Count,
  /** Processors it may use. */
  cpus: Type.Integer({ minimum: 1, maximum: 4096 }),
  running: Count,
  waiting: Count,
  /** Digests of versions with an isolate ready, one after the other. */
  warm: Digests,
  /** Digests of bundles in its cache, one after the other. */
  cached: Digests,
});
export type MemberRecord = Static<typeof MemberRecord>;

const parser = createParser(MemberRecord, "a member's record");

/** @returns the record, or `undefined` for one that no release of ours would write or this one cannot use */
export function readMember(json: string): MemberRecord | undefined {
  if (json.length > RECORD_LENGTH_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return parser.check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @returns digests as a record holds them: the first ones, as many as there is room for */
export function packDigests(digests: Iterable<number>): string {
  let text = "";
  let count = 0;
  for (const digest of digests) {
    if (count++ === DIGESTS_MAX) break;
    text += digest.toString(16).padStart(DIGEST_LENGTH, "0");
  }
  return text;
}

/** @returns the digests that `packDigests` wrote */
export function unpackDigests(text: string): ReadonlySet<number> {
  const digests = new Set<number>();
  for (let at = 0; at + DIGEST_LENGTH <= text.length; at += DIGEST_LENGTH) {
    digests.add(Number.parseInt(text.slice(at, at + DIGEST_LENGTH), 16));
  }
  return digests;
}

/** @returns the digest of a bundle: the beginning of its hash */
export const bundleDigest = (sha256: string): number => Number.parseInt(sha256.slice(0, DIGEST_LENGTH), 16);
