import { existsSync } from "node:fs";
import {
  PACKAGE_IMPORTS,
  PLATFORM_IMPORTS,
  PLATFORM_PACKAGE_LIMITS,
  PORTABLE_PACKAGES,
} from "../../test/architecture/allowed-imports.ts";

const PLATFORM = new URL("../../packages/platform/src/", import.meta.url);

/** @returns the two tables of ARCHITECTURE.md: imports between packages, and between the folders of platform that exist */
export function importTables(): string {
  const packages = Object.entries(PACKAGE_IMPORTS).map(
    ([name, allowed]) =>
      `| \`${name}\` | ${list(allowed)} | ${PORTABLE_PACKAGES.includes(name) ? "no" : "yes"} |`,
  );
  const present = (folder: string): boolean => existsSync(new URL(folder, PLATFORM));
  const folders = Object.entries(PLATFORM_IMPORTS)
    .filter(([name]) => present(name))
    .map(([name, allowed]) => {
      const packagesOf = PLATFORM_PACKAGE_LIMITS[name] ?? PACKAGE_IMPORTS["platform"] ?? [];
      return `| \`${name}\` | ${list(allowed.filter(present))} | ${list(packagesOf)} |`;
    });
  return [
    "| package | may import | may import of Node |",
    "|---|---|---|",
    ...packages,
    "",
    "| folder of `platform` | may import of `platform` | may import of the packages |",
    "|---|---|---|",
    ...folders,
  ].join("\n");
}

const list = (names: readonly string[]): string =>
  names.length === 0 ? "nothing" : names.map((name) => `\`${name}\``).join(", ");
