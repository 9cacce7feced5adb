import { secretPatterns } from "./secret-patterns.ts";

/** What stands where a secret stood. */
export const REDACTED = "[redacted]";

/** The secrets of a version, compiled; share it between the streams of its activations. */
export interface SecretMatcher {
  readonly root: MatcherNode;
  /** The root's children by character code, for codes below 128: most characters begin no secret. */
  readonly first: readonly (MatcherNode | undefined)[];
}

/**
 * A node of the automaton: everything read so far ends in the text on the way to this node. Nearly all nodes have
 * one child, which needs no map: that is most of the speed and of the memory.
 */
interface MatcherNode {
  /** Character code that leads to `child`; -1 for none. */
  code: number;
  child: MatcherNode | undefined;
  /** Further children. */
  more: Map<number, MatcherNode> | undefined;
  /** Characters on the way here: that many at the end of the text may yet become a secret. */
  depth: number;
  /** Length of the longest pattern that ends here, 0 for none. */
  matched: number;
  /** The node of the longest shorter ending that is on the way to some pattern. */
  fallback: MatcherNode | undefined;
}

const FIRST_CODES = 128;

/**
 * Compiles secrets into one automaton that finds all their spellings in one pass.
 * @see Aho and Corasick, "Efficient string matching" (1975)
 */
export function createSecretMatcher(secrets: Iterable<string>): SecretMatcher {
  const root = node(0);
  for (const secret of secrets) for (const pattern of secretPatterns(secret)) insert(root, pattern);
  const first = Array.from({ length: FIRST_CODES }, (_, code) => childOf(root, code));
  const matcher = { root, first };
  // Breadth first, so that a fallback, which is nearer to the root, is complete before it is used.
  const queue = [root];
  for (const parent of queue) {
    for (const [code, child] of childrenOf(parent)) {
      child.fallback = parent === root ? root : step(matcher, parent.fallback ?? root, code);
      child.matched ||= child.fallback.matched;
      queue.push(child);
    }
  }
  return matcher;
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
export function createRedactStream(matcher: SecretMatcher): RedactStream {
  const { root } = matcher;
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
      if (root.child === undefined) return piece;
      const start = held.length;
      held += piece;
      for (let at = start; at < held.length; at += 1) {
        state = step(matcher, state, held.charCodeAt(at));
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

const node = (depth: number): MatcherNode => ({
  code: -1,
  child: undefined,
  more: undefined,
  depth,
  matched: 0,
  fallback: undefined,
});

function insert(root: MatcherNode, pattern: string): void {
  let at = root;
  for (let index = 0; index < pattern.length; index += 1) {
    const code = pattern.charCodeAt(index);
    at = childOf(at, code) ?? addChild(at, code);
  }
  at.matched = pattern.length;
}

function addChild(parent: MatcherNode, code: number): MatcherNode {
  const child = node(parent.depth + 1);
  if (parent.child === undefined) {
    parent.code = code;
    parent.child = child;
  } else (parent.more ??= new Map()).set(code, child);
  return child;
}

const childOf = (parent: MatcherNode, code: number): MatcherNode | undefined =>
  parent.code === code ? parent.child : parent.more?.get(code);

function childrenOf({ code, child, more }: MatcherNode): [number, MatcherNode][] {
  return child === undefined ? [] : [[code, child], ...(more ?? [])];
}

function step({ root, first }: SecretMatcher, from: MatcherNode, code: number): MatcherNode {
  for (let at = from; at !== root; at = at.fallback ?? root) {
    const next = childOf(at, code);
    if (next !== undefined) return next;
  }
  return (code < FIRST_CODES ? first[code] : childOf(root, code)) ?? root;
}
