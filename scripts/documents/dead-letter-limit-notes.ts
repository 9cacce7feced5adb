import type { Limits } from "@sous/contract";
import type { LimitNote } from "./limit-note.ts";

const DEAD_LETTERS = "packages/codeq/src/contract/dead-letter-bounds-contract.ts";

export const DEAD_LETTER_LIMIT_NOTES = {
  deadLetterTtlMs: {
    what: "a dead letter is kept",
    past: "it goes, and is counted",
    test: [DEAD_LETTERS, "a dead letter goes when it has been dead for too long"],
  },
  deadLettersPerTenantMax: {
    what: "dead letters of a tenant, those of calls and those of destinations each",
    past: "the oldest goes, and is counted",
    test: [DEAD_LETTERS, "past the number a tenant may have his oldest dead letters go, and nobody else's"],
  },
  deadLettersPerTenantBytesMax: {
    what: "bodies of a tenant's dead letters, those of calls and those of destinations each",
    past: "the oldest go, and are counted",
    test: [DEAD_LETTERS, "past the bytes a tenant may have his oldest dead letters go"],
  },
} satisfies Partial<Record<keyof Limits, LimitNote>>;
