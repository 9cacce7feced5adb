import { globSync, readFileSync } from "node:fs";
import { posix } from "node:path";

/** One import of a file, as it is written. */
export interface SourceImport {
  specifier: string;
  line: number;
  /** Whether it vanishes with the types. */
  typeOnly: boolean;
}

/** One source file of the project: its text, and what it imports. */
export interface SourceFile {
  /** Relative to the root, with `/`: `packages/cli/src/main.ts`. */
  path: string;
  text: string;
  /** The text with comments and the content of strings blanked, line by line the same. */
  code: string;
  imports: readonly SourceImport[];
}

const isLeftOut = (path: string): boolean => /(^|[\\/])(node_modules|fixtures|templates)([\\/]|$)/.test(path);

/** @returns every TypeScript file below these folders, tests included; fixtures, templates and installed packages not */
export function readSourceTree(root: string, folders: readonly string[]): SourceFile[] {
  const patterns = folders.map((folder) => `${folder}/**/*.ts`);
  return globSync(patterns, { cwd: root, exclude: isLeftOut })
    .map((path) => path.replaceAll("\\", "/"))
    .sort()
    .map((path) => parseSourceFile(path, readFileSync(`${root}/${path}`, "utf8")));
}

/** @param text TypeScript as oxfmt leaves it: specifiers are string literals on the line of their `from` */
export function parseSourceFile(path: string, text: string): SourceFile {
  const { code, strings } = blank(text);
  const imports: SourceImport[] = [];
  for (const { start, value, line } of strings) {
    const before = code.slice(0, start).trimEnd();
    const isStatic = /(^|[\s}*])(from|import)$/.test(before) && !/[.\w$]\s*\.\s*from$/.test(before);
    const isDynamic =
      /(^|[^.\w$])import\s*\($/.test(before) || /(^|[^.\w$])import\.meta\.resolve\($/.test(before);
    if (!isStatic && !isDynamic) continue;
    const statement =
      /(?:^|[;}\n])\s*(?:import|export)\b(?!\s*[.(])(?:(?!\b(?:import|export)\b)[\s\S])*$/.exec(before);
    const typeOnly = isStatic && /^[;}\s]*(?:import|export)\s+type\b/.test(statement?.[0] ?? "");
    imports.push({ specifier: value, line, typeOnly });
  }
  return { path, text, code, imports };
}

interface StringLiteral {
  start: number;
  value: string;
  line: number;
}

/**
 * Blanks comments and strings, so that words in them are not taken for code. Template literals are blanked with
 * the code in them; a regular expression is recognised by the character before it.
 */
function blank(text: string): { code: string; strings: StringLiteral[] } {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:[!&|?{};+>]\s*|return\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;
  const strings: StringLiteral[] = [];
  let code = "";
  let end = 0;
  let line = 1;
  for (const match of text.matchAll(token)) {
    const between = text.slice(end, match.index);
    code += between;
    line += countLines(between);
    const found = match[0];
    if (found[0] === '"' || found[0] === "'") {
      strings.push({ start: code.length, value: found.slice(1, -1), line });
    }
    code += found.replaceAll(/[^\n]/g, " ");
    line += countLines(found);
    end = match.index + found.length;
  }
  return { code: code + text.slice(end), strings };
}

const countLines = (text: string): number => text.split("\n").length - 1;

/** @returns the path a relative import names, or `undefined` for a package */
export function resolveRelative(file: SourceFile, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(file.path), specifier);
}

/** @returns lines of code: neither blank nor comment */
export const linesOfCode = (file: SourceFile): number =>
  file.text.split("\n").filter((line) => line.trim() !== "" && !/^\s*(\/\/|\/?\*)/.test(line)).length;

/**
 * Finds the groups of files that import one another in a circle. Types do not count: they vanish before the files
 * run, and two halves of one thing may well name each other.
 * @returns each circle as its paths in order, from the alphabetically first
 */
export function findCycles(files: readonly SourceFile[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const cycles = new Map<string, string[]>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const circle = trail.slice(at);
      const first = circle.indexOf(circle.toSorted()[0] ?? path);
      const ordered = [...circle.slice(first), ...circle.slice(0, first)];
      cycles.set(ordered.join(), ordered);
      return;
    }
    if (done.has(path)) return;
    const file = byPath.get(path);
    for (const { specifier, typeOnly } of file?.imports ?? []) {
      const target = file && resolveRelative(file, specifier);
      if (typeOnly) continue;
      if (target !== undefined && byPath.has(target)) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const file of files) visit(file.path, []);
  return [...cycles.values()];
}
