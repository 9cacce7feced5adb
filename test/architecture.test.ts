import test from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, posix } from "node:path";
import {
  NOT_USED_SO_FAR,
  OTHER_ENTRIES,
  PACKAGE_IMPORTS,
  PLATFORM_IMPORTS,
  PLATFORM_PACKAGE_LIMITS,
  PORTABLE_PACKAGES,
  TEST_IMPORTS,
} from "./architecture/allowed-imports.ts";
import {
  findCycles,
  linesOfCode,
  parseSourceFile,
  readSourceTree,
  resolveRelative,
  type SourceFile,
} from "./architecture/source-tree.ts";

const ROOT = join(import.meta.dirname, "..");
const CODE_LINES_MAX = 400;

const tree = readSourceTree(ROOT, ["packages", "test", "bench", "scripts"]);
const sources = tree.filter((file) => /^packages\/[^/]+\/src\//.test(file.path));
const packages = Object.keys(PACKAGE_IMPORTS);

const packageOf = (path: string): string => path.split("/")[1] ?? "";
/** @returns the folder of platform's sources that a path lies in, if any */
const platformFolderOf = (path: string): string | undefined =>
  /^packages\/platform\/src\/([^/]+)\//.exec(path)?.[1];
const isNodeModule = (specifier: string): boolean =>
  specifier.startsWith("node:") || builtinModules.includes(specifier);
const fileImporting = (name: string, target: string): SourceFile =>
  parseSourceFile(`packages/cli/src/${name}.ts`, `import { x } from "./${target}.ts";`);
/** @returns the files that one brings in: its imports, and programs of their own that it names by a URL */
const reachedFrom = (file: SourceFile): string[] =>
  [
    ...file.imports.map((one) => one.specifier),
    ...[...file.text.matchAll(/new URL\(\s*"(\.[^"]+\.ts)"/g)].map((found) => found[1] ?? ""),
  ].flatMap((specifier) => resolveRelative(file, specifier) ?? []);
const isTest = (path: string): boolean => /\.(test|fixture)\.ts$/.test(path) || path.includes("/testing/");
const sourcesOf = (name: string): SourceFile[] => sources.filter((file) => packageOf(file.path) === name);

/** @returns the name of an imported package: `@sous/store` of `@sous/store/x`, nothing of `node:` or `./x` */
function importedPackage(specifier: string): string | undefined {
  if (/^(\.|node:|\/|#)/.test(specifier)) return undefined;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** @returns one line a place, for the rules of one file */
function findIn(files: readonly SourceFile[], pattern: RegExp, part: "code" | "text"): string[] {
  return files.flatMap((file) =>
    file[part].split("\n").flatMap((line, index) => {
      const found = pattern.exec(line);
      return found === null ? [] : [`${file.path}:${index + 1}: ${found[0].trim()}`];
    }),
  );
}

function assertNone(found: readonly string[], whatToDo: string): void {
  if (found.length > 0) assert.fail(`${whatToDo}\n  ${found.join("\n  ")}\n`);
}

/** Every import of another package of ours, and every relative one that leaves its package. */
function siblingImports(file: SourceFile): { line: number; target: string; specifier: string }[] {
  return file.imports.flatMap(({ specifier, line }) => {
    const own = packageOf(file.path);
    const relativePath = resolveRelative(file, specifier);
    const target = relativePath?.startsWith("packages/")
      ? packageOf(relativePath)
      : /^@sous\/([^/]+)/.exec(specifier)?.[1];
    return target === undefined || target === own ? [] : [{ line, target, specifier }];
  });
}

test("a package imports only what the table allows, and by its name", () => {
  const found = sources.flatMap((file) =>
    siblingImports(file)
      .filter(
        ({ target, specifier }) =>
          !(isTest(file.path) && TEST_IMPORTS[packageOf(file.path)]?.includes(target)) &&
          (specifier.startsWith(".") || !PACKAGE_IMPORTS[packageOf(file.path)]?.includes(target)),
      )
      .map(({ line, specifier }) => `${file.path}:${line}: ${specifier}`),
  );
  assertNone(
    found,
    "Move what is shared to a package both may import, or change test/architecture/allowed-imports.ts with a decision record:",
  );
});

test("every package of the workspace is in the table", () => {
  const present = globSync("packages/*/package.json", { cwd: ROOT }).map(packageOf);
  assert.deepEqual(
    present.sort(),
    packages.toSorted(),
    "A package needs its row in test/architecture/allowed-imports.ts, and a tenth package a decision record",
  );
});

test("the folders of platform import only what the table allows", () => {
  const found = sourcesOf("platform").flatMap((file) => {
    const folder = platformFolderOf(file.path);
    if (folder === undefined || isTest(file.path)) return [];
    const allowed = PLATFORM_IMPORTS[folder];
    if (allowed === undefined) return [`${file.path}: folder ${folder} is not in the table`];
    return file.imports.flatMap(({ specifier, line }) => {
      const target = resolveRelative(file, specifier);
      const other = target === undefined ? undefined : platformFolderOf(target);
      const wrong =
        target !== undefined && other !== folder && (other === undefined || !allowed.includes(other));
      return wrong ? [`${file.path}:${line}: ${specifier}`] : [];
    });
  });
  const limited = Object.entries(PLATFORM_PACKAGE_LIMITS).flatMap(([folder, allowed]) =>
    sources
      .filter((file) => file.path.startsWith(`packages/platform/src/${folder}/`) && !isTest(file.path))
      .flatMap((file) =>
        siblingImports(file)
          .filter(({ target }) => !allowed.includes(target))
          .map(({ line, specifier }) => `${file.path}:${line}: ${specifier}`),
      ),
  );
  assertNone(
    [...found, ...limited],
    "Services meet in codeQ and the store only, and drivers are chosen in roles/; pass it in from there:",
  );
});

test("package.json declares exactly what is imported", () => {
  const problems = packages.flatMap((name) => {
    const path = join(ROOT, "packages", name, "package.json");
    const manifest: Record<string, unknown> = JSON.parse(readFileSync(path, "utf8"));
    const namesOf = (field: string): string[] => Object.keys(manifest[field] ?? {});
    const runtime = new Set([
      ...namesOf("dependencies"),
      ...namesOf("optionalDependencies"),
      ...namesOf("peerDependencies"),
    ]);
    const development = namesOf("devDependencies");
    const used = new Set<string>();
    const undeclared = sourcesOf(name).flatMap((file) =>
      file.imports.flatMap(({ specifier, line }) => {
        const imported = importedPackage(specifier);
        if (imported === undefined || imported === `@sous/${name}`) return [];
        used.add(imported);
        const declared = runtime.has(imported) || (isTest(file.path) && development.includes(imported));
        return declared
          ? []
          : [`${file.path}:${line}: ${imported} is not declared in packages/${name}/package.json`];
      }),
    );
    const isUsed = (dependency: string): boolean =>
      used.has(dependency) ||
      (dependency.startsWith("@types/") && used.has(dependency.slice("@types/".length)));
    const unused = [...runtime, ...development]
      .filter((dependency) => !isUsed(dependency))
      .map((dependency) => `packages/${name}/package.json: ${dependency} is declared and never imported`);
    return [...undeclared, ...unused];
  });
  assertNone(problems, "Add it with an exact version, or take it out, and run `npm install`:");
});

test("dependencies are pinned to exact versions", () => {
  const found = ["package.json", ...packages.map((name) => `packages/${name}/package.json`)].flatMap(
    (path) => {
      const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(
        readFileSync(join(ROOT, path), "utf8"),
      );
      return ["dependencies", "devDependencies", "optionalDependencies"].flatMap((field) =>
        Object.entries(manifest[field] ?? {})
          .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
          .map(([name, version]) => `${path}: ${name} ${version}`),
      );
    },
  );
  assertNone(found, "Write the exact version, without ^ or ~:");
});

test("portable packages import nothing of Node", () => {
  const found = PORTABLE_PACKAGES.flatMap((name) =>
    sourcesOf(name)
      .filter((file) => !isTest(file.path))
      .flatMap((file) =>
        file.imports
          .filter(({ specifier }) => isNodeModule(specifier))
          .map(({ specifier, line }) => `${file.path}:${line}: ${specifier}`),
      ),
  );
  assertNone(
    found,
    `${PORTABLE_PACKAGES.join(" and ")} run inside isolates and browsers; use web standards or pass it in:`,
  );
});

test("what runs in a thread of its own loads nothing but its package and Node", () => {
  const byPath = new Map(sources.map((file) => [file.path, file]));
  const threads = sources.flatMap((file) =>
    /new Worker\(/.test(file.code)
      ? [...file.text.matchAll(/new URL\(\s*"(\.[^"]+\.ts)"/g)].map(([, entry = ""]) =>
          resolveRelative(file, entry),
        )
      : [],
  );
  assert.ok(threads.length >= 2, "the threads are found");
  const found: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string | undefined): void => {
    const file = byPath.get(path ?? "");
    if (file === undefined || seen.has(file.path)) return;
    seen.add(file.path);
    for (const { specifier, line, typeOnly } of file.imports) {
      if (typeOnly) continue;
      const other = importedPackage(specifier);
      if (other !== undefined) found.push(`${file.path}:${line}: ${specifier}`);
      visit(resolveRelative(file, specifier));
    }
  };
  for (const path of threads) visit(path);
  assertNone(
    found,
    "A thread starts while somebody waits, without the cache of the process; move what it needs apart:",
  );
});

test("no files need one another in a circle", () => {
  const found = findCycles(tree).map((circle) => [...circle, circle[0]].join(" → "));
  assertNone(found, "Move what both need into a third file:");
});

test("every relative import names a file", () => {
  const found = tree.flatMap((file) =>
    file.imports.flatMap(({ specifier, line }) => {
      const target = resolveRelative(file, specifier);
      return target === undefined || existsSync(join(ROOT, target))
        ? []
        : [`${file.path}:${line}: ${specifier}`];
    }),
  );
  assertNone(found, "Mend the path; imports end in .ts:");
});

test("every source file is reached from an entry of its package, or a test of something else", () => {
  const reached = new Set<string>();
  const byPath = new Map(sources.map((file) => [file.path, file]));
  const visit = (path: string): void => {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) return;
    reached.add(path);
    for (const target of reachedFrom(file)) visit(target);
  };
  for (const name of packages) {
    const manifest: { exports?: Record<string, string> } = JSON.parse(
      readFileSync(join(ROOT, "packages", name, "package.json"), "utf8"),
    );
    for (const entry of Object.values(manifest.exports ?? {})) visit(posix.join("packages", name, entry));
  }
  for (const { path } of sources) if (OTHER_ENTRIES.some((entry) => entry.test(path))) visit(path);
  for (const file of sources.filter(({ path }) => path.endsWith(".test.ts"))) {
    // Its own test alone does not make a file of use.
    const tested = file.path.replace(/\.test\.ts$/, ".ts");
    for (const target of reachedFrom(file)) if (target !== tested) visit(target);
  }
  const dead = sources
    .filter(({ path }) => !reached.has(path) && !isTest(path) && !path.endsWith(".d.ts"))
    .map((file) => file.path);
  assertNone(
    dead.filter((path) => !NOT_USED_SO_FAR.includes(path)),
    "Export it from the package's index.ts, use it, or delete it:",
  );
  assertNone(
    NOT_USED_SO_FAR.filter((path) => !dead.includes(path)),
    "Take it off the list in test/architecture/allowed-imports.ts, it is used or gone:",
  );
});

test(`no file holds more than ${CODE_LINES_MAX} lines of code`, () => {
  const found = tree
    .filter((file) => linesOfCode(file) > CODE_LINES_MAX)
    .map((file) => `${file.path}: ${linesOfCode(file)} lines`);
  assertNone(found, "Split it by responsibility:");
});

test("no `any`, no barrels, no default exports, no open ends", () => {
  assertNone(findIn(tree, /(:\s*|\bas\s+|<)any\b(?!\s*\()/, "code"), "Use `unknown` and a check:");
  assertNone(findIn(tree, /^\s*export\s*\*/, "code"), "Name each export:");
  const ours = tree.filter((file) => !file.path.endsWith(".d.ts"));
  assertNone(findIn(ours, /^\s*export\s+default\b/, "code"), "Export by name:");
  const open = new RegExp(
    `\\b(${["TO", "FIX"].map((word) => word + (word === "TO" ? "DO" : "ME")).join("|")})\\b`,
  );
  assertNone(findIn(tree, open, "text"), "Do it now, or open an issue:");
});

test("no path of a machine and no registry host is in the repository", () => {
  const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0");
  const here = `${dirname(ROOT)}/`;
  const registry = /https?:\/\/(registry|deb|proxy|repo1)\./;
  const found = tracked.filter((path) => {
    if (path === "" || /\.(png|ico|woff2|tar|gz)$/.test(path) || !existsSync(join(ROOT, path))) return false;
    const text = readFileSync(join(ROOT, path), "utf8");
    return (
      registry.test(text) || (here.length > 5 && text.includes(here)) || /\/(home|Users)\/[a-z]/.test(text)
    );
  });
  assertNone(found, "Write it relative to the repository, or take it from the environment:");
});

test("the scanner sees imports of every form and none in comments or strings", () => {
  const file = parseSourceFile(
    "packages/cli/src/a.ts",
    [
      'import test from "node:test";',
      'import type { B } from "./b.ts";',
      "import {",
      "  c,",
      '} from "./c.ts";',
      'export { d } from "./d.ts";',
      'import "./e.ts";',
      'const f = await import("./f.ts");',
      'export type { G, H } from "./g.ts";',
      '// import "./not-1.ts";',
      'const text = `import "./not-2.ts"`;',
      'const list = Array.from("abc");',
      "const pattern = /\"/; const after = '\"';",
    ].join("\n"),
  );
  assert.deepEqual(
    file.imports.map(({ specifier, line, typeOnly }) => `${line} ${specifier}${typeOnly ? " type" : ""}`),
    ["1 node:test", "2 ./b.ts type", "5 ./c.ts", "6 ./d.ts", "7 ./e.ts", "8 ./f.ts", "9 ./g.ts type"],
  );
});

test("the search for circles finds one of three files, once", () => {
  const found = findCycles([
    fileImporting("b", "c"),
    fileImporting("c", "a"),
    fileImporting("a", "b"),
    fileImporting("d", "a"),
  ]);
  assert.deepEqual(found, [["packages/cli/src/a.ts", "packages/cli/src/b.ts", "packages/cli/src/c.ts"]]);
});
