import { stripTypeScriptTypes } from "node:module";
import type { FunctionFolder } from "./function-folder.ts";

/**
 * Reads the program of a function as the runtime will, to tell of syntax errors before it is called.
 * @returns one text a fault, with file, line and the place: publishing such code is allowed, calling it fails
 */
export function syntaxWarnings(folder: FunctionFolder): string[] {
  if ((folder.manifest.runtime ?? "cs-js") !== "cs-js") return [];
  if (!folder.files.has(folder.manifest.entry)) return [`${folder.manifest.entry}: the entry is missing`];
  return [...folder.files].flatMap(([path, content]) => {
    if (!/\.m?[jt]s$/.test(path) || /\.d\.m?ts$/.test(path)) return [];
    const source = content.toString("utf8");
    try {
      // Types only vanish in TypeScript files; in others they would reach the engine.
      const code = stripTypeScriptTypes(source, { mode: "strip" });
      const typed = code !== source && /\.m?js$/.test(path);
      return typed ? [`${path}: has TypeScript types; name it .ts`] : [];
    } catch (error) {
      return error instanceof Error ? [describe(path, error)] : [];
    }
  });
}

/** Node puts `:line`, the line and a caret before the stack. */
function describe(path: string, error: Error): string {
  const [first = "", ...frame] = (error.stack ?? "").split("\n");
  const line = /^:(\d+)$/.exec(first)?.[1];
  if (line === undefined) return `${path}: ${error.message}`;
  const end = frame.findIndex((text) => /^\s*\^+$/.test(text));
  return [`${path}:${line}: ${error.message}`, ...frame.slice(0, end + 1).map((text) => `    ${text}`)].join(
    "\n",
  );
}
