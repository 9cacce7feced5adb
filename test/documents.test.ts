import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import { LIMITS } from "@sous/contract";
import { readAttackGroups } from "../scripts/documents/attack-table.ts";
import { generatedDocuments } from "../scripts/documents/generated-documents.ts";
import { replaceSection } from "../scripts/documents/marked-section.ts";

const ROOT = join(import.meta.dirname, "..");
const DECISION_LINES_MAX = 70;
/** Rows of the design's table of failures. */
const FAILURES_MIN = 14;
const FOLDERS = /^(packages|test|scripts|bench|docs|examples|bin|\.ci)\//;

const documents = globSync(["*.md", "docs/**/*.md", "packages/*/README.md"], { cwd: ROOT }).sort();
const textOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Everything in backticks outside of fenced blocks. */
function codeSpans(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, "");
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? "");
}

test("what documents derive from code is as the code is", async () => {
  for (const [path, expected] of await generatedDocuments()) {
    assert.equal(textOf(path), expected, `${path}: run scripts/generate-docs.ts`);
  }
});

test("every limit of the specification is one of the code", () => {
  const section =
    /generated: limits;.*?-->([\s\S]*?)<!-- end of limits/.exec(textOf("SPECIFICATION.md"))?.[1] ?? "";
  const names = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(names, Object.keys(LIMITS));
});

test("a generated section is replaced between its markers and nowhere else", () => {
  const [begin, end] = ["<!-- generated: x; run scripts/generate-docs.ts -->", "<!-- end of x -->"];
  const made = replaceSection(`before\n${begin}\nold\n${end}\nafter\n`, "x", "new");
  assert.equal(made, `before\n${begin}\n\nnew\n\n${end}\nafter\n`);
  assert.equal(replaceSection(made, "x", "new"), made);
  assert.throws(() => replaceSection("no markers", "x", "new"), TypeError);
  assert.throws(() => replaceSection(`${end}${begin}`, "x", "new"), TypeError);
});

test("every link between documents leads somewhere", () => {
  const broken = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test("every file a document names is there", () => {
  const gone = documents.flatMap((path) =>
    codeSpans(textOf(path))
      .filter((span) => FOLDERS.test(span) && !/[\s<>{}$…]/.test(span))
      .filter((span) => globSync(span.replace(/:\d+$/, ""), { cwd: ROOT }).length === 0)
      .map((span) => `${path}: ${span}`),
  );
  assert.deepEqual(gone, []);
});

test("every test a document quotes has that name", () => {
  const wrong = documents.flatMap((path) =>
    [...textOf(path).matchAll(/`([\w./-]+\.ts)`, "([^"]+)"/g)]
      .filter(([, file, name]) => !textOf(file ?? "").includes(name ?? ""))
      .map(([, file, name]) => `${path}: ${file} has no test "${name}"`),
  );
  assert.deepEqual(wrong, []);
});

test("every failure the design names has tests, each quoted by its name", () => {
  const [, section = ""] =
    /<!-- failures -->([\s\S]*?)<!-- end of failures -->/.exec(textOf("SPECIFICATION.md")) ?? [];
  const rows = [...section.matchAll(/^\| (?!what fails|-)(.+?) \| .+? \| (.+) \|$/gm)];
  assert.ok(rows.length >= FAILURES_MIN, `${rows.length} rows`);
  const bare = rows.filter(
    ([, , heldBy = ""]) => !/^`[\w./-]+\.ts`, "[^"]+"(?:; `[\w./-]+\.ts`, "[^"]+")*$/.test(heldBy),
  );
  assert.deepEqual(
    bare.map(([, name]) => name),
    [],
  );
});

test("every npm script a document names exists", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  const unknown = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\bnpm run ([a-z:]+)/g)]
      .filter(([, name]) => !Object.hasOwn(scripts, name ?? ""))
      .map(([found]) => `${path}: ${found}`),
  );
  assert.deepEqual(unknown, []);
});

test("the function of the README is the one that `cs fn init` writes", () => {
  const readme = textOf("README.md");
  const code = textOf("packages/cli/templates/http/function.js");
  assert.ok(readme.includes(code.slice(code.indexOf("export default"))));
  assert.ok(readme.includes(textOf("packages/cli/templates/http/manifest.json")));
});

test("the README counts the attack cases right", async () => {
  const count = (await readAttackGroups()).reduce((sum, { cases }) => sum + cases.length, 0);
  assert.ok(textOf("README.md").includes(`${count} ways to misbehave`), `there are ${count}`);
});

test("a decision record is short and says when to look at it again", () => {
  for (const path of documents.filter((name) => name.startsWith("docs/decisions/"))) {
    const text = textOf(path);
    assert.match(path, /\/\d{3}-[a-z0-9-]+\.md$/);
    assert.ok(
      text.split("\n").length <= DECISION_LINES_MAX,
      `${path} is longer than ${DECISION_LINES_MAX} lines`,
    );
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings, ["Context", "Decision", "Consequences", "When to revisit"], path);
  }
});
