import { secretPatterns } from "./secret-patterns.ts";

/** What stands where a secret stood. */
export const REDACTED = "[redacted]";

/** The secrets of a version, compiled; share it between the streams of its activations. */
export interface SecretMatcher {
  readonly root: MatcherNode;
}

/** A node of the automaton: everything read so far ends in the text on the way to this node. */
interface MatcherNode {
  next: Map<string, MatcherNode>;
  /** Characters on the way here: that many at the end of the text may yet become a secret. */
  depth: number;
  /** Length of the longest pattern that ends here, 0 for none. */
  matched: number;
  /** The node of the longest shorter ending that is on the way to some pattern. */
  fallback: MatcherNode | undefined;
}

/**
 * Compiles secrets into one automaton that finds all their spellings in one pass.
 * @see Aho and Corasick, "Efficient string matching" (1975)
 */
export function createSecretMatcher(secrets: Iterable<string>): SecretMatcher {
  const root = node(0);
  for (const secret of secrets) for (const pattern of secretPatterns(secret)) insert(root, pattern);
  // Breadth first, so that a fallback, which is nearer to the root, is complete before it is used.
  const queue = [root];
  for (const parent of queue) {
    for (const [unit, child] of parent.next) {
      child.fallback = parent === root ? root : step(root, parent.fallback ?? root, unit);
      child.matched ||= child.fallback.matched;
      queue.push(child);
    }
  }
  return { root };
}

/** Takes a text piece by piece and gives it back without the secrets, however they fall between the pieces. */
export interface RedactStream {
  /** @returns what can be shown by now; the beginning of a possible secret is held back */
  push(piece: string): string;
  /** @returns the rest; the stream can be used again afterwards */
  end(): string;
}

/** A stretch of held text that is secret. `shown`: its mark went out already. */
interface Stretch {
  from: number;
  to: number;
  shown: boolean;
}

/** Makes a stream that replaces each secret, and each run of secrets that overlap, by `[redacted]`. */
export function createRedactStream({ root }: SecretMatcher): RedactStream {
  let state = root;
  let held = "";
  let stretches: Stretch[] = [];

  /** Gives out the first `end` characters held and moves the rest to the front. */
  function release(end: number): string {
    let out = "";
    let at = 0;
    const kept: Stretch[] = [];
    for (const { from, to, shown } of stretches) {
      if (from >= end) {
        kept.push({ from: from - end, to: to - end, shown });
        continue;
      }
      out += held.slice(at, from) + (shown ? "" : REDACTED);
      at = Math.min(to, end);
      if (to > end) kept.push({ from: 0, to: to - end, shown: true });
    }
    out += held.slice(at, end);
    held = held.slice(end);
    stretches = kept;
    return out;
  }

  return {
    push(piece) {
      if (root.next.size === 0) return piece;
      const start = held.length;
      held += piece;
      for (let at = start; at < held.length; at += 1) {
        state = step(root, state, held.charAt(at));
        if (state.matched > 0) cover(stretches, at + 1 - state.matched, at + 1);
      }
      // A secret that is not complete begins within the last `depth` characters, never before them.
      return release(held.length - state.depth);
    },
    end() {
      state = root;
      return release(held.length);
    },
  };
}

/** Adds a stretch that ends last, joined with those it overlaps. */
function cover(stretches: Stretch[], from: number, to: number): void {
  const joined: Stretch = { from, to, shown: false };
  for (let last = stretches.at(-1); last !== undefined && last.to > from; last = stretches.at(-1)) {
    stretches.pop();
    joined.from = Math.min(joined.from, last.from);
    joined.shown ||= last.shown;
  }
  stretches.push(joined);
}

const node = (depth: number): MatcherNode => ({ next: new Map(), depth, matched: 0, fallback: undefined });

function insert(root: MatcherNode, pattern: string): void {
  let at = root;
  for (let index = 0; index < pattern.length; index += 1) {
    const unit = pattern.charAt(index);
    const known = at.next.get(unit) ?? node(index + 1);
    at.next.set(unit, known);
    at = known;
  }
  at.matched = pattern.length;
}

function step(root: MatcherNode, from: MatcherNode, unit: string): MatcherNode {
  for (let at: MatcherNode | undefined = from; at !== undefined; at = at.fallback) {
    const next = at.next.get(unit);
    if (next !== undefined) return next;
  }
  return root;
}
