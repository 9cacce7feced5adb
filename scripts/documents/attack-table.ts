import { readdirSync } from "node:fs";
import type { AttackCase } from "../../test/attack/attack-case.ts";

const CASES = new URL("../../test/attack/cases/", import.meta.url);

/** A file of test/attack/cases with what is in it. */
export interface AttackGroup {
  /** The file's name without its ending. */
  name: string;
  cases: readonly AttackCase[];
}

/** Reads every attack case there is, so that a new file needs no mention anywhere. */
export async function readAttackGroups(): Promise<AttackGroup[]> {
  const files = readdirSync(CASES)
    .filter((file) => file.endsWith(".ts"))
    .sort();
  return Promise.all(
    files.map(async (file) => {
      const module = (await import(new URL(file, CASES).href)) as Record<string, unknown>;
      const cases = Object.values(module)
        .filter((value): value is readonly AttackCase[] => Array.isArray(value))
        .flat();
      return { name: file.replace(/\.ts$/, ""), cases };
    }),
  );
}

/** @returns the table of SECURITY.md: each case with its group and the ends that are allowed */
export function attackTable(groups: readonly AttackGroup[]): string {
  const count = groups.reduce((sum, { cases }) => sum + cases.length, 0);
  const rows = groups.flatMap(({ name, cases }) =>
    cases.map((attack) => `| ${cell(attack.name)} | ${name} | ${endsOf(attack)} |`),
  );
  return [
    `${count} cases in ${groups.length} groups, each on the isolation modes \`warm\`, \`context\`, \`fresh\` and \`shared\`.`,
    "",
    "| case | group | must end as |",
    "|---|---|---|",
    ...rows,
  ].join("\n");
}

/** A name as it is, also where Markdown would read `__proto__` as bold. */
const cell = (text: string): string => (/[_*|<]/.test(text) ? `\`${text}\`` : text);

function endsOf({ ends, check, differs = {}, note }: AttackCase): string {
  const shown = ways(ends);
  const all = [check === undefined ? shown : `${shown}; the answer is checked`];
  for (const [mode, other] of Object.entries(differs)) {
    const modes = mode === "warm" && differs.shared === undefined ? "`warm` and `shared`" : `\`${mode}\``;
    if (ways(other.ends) !== shown) all.push(`on ${modes} ${ways(other.ends)}`);
  }
  if (note !== undefined) all.push(note);
  return all.join("; ");
}

const ways = (ends: readonly string[]): string => ends.map((end) => end.split("/")[1] ?? end).join(" or ");
