import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../bin/cs.js", import.meta.url));

export interface CsRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line as a user would: a process of its own, told by its environment where the server is. */
export function runCs(
  url: string,
  args: readonly string[],
  env: Record<string, string> = {},
  input = "",
): Promise<CsRun> {
  const { PATH = "" } = process.env;
  // No home: nothing a developer has logged in to may leak into a test.
  const environment = { PATH, XDG_CONFIG_HOME: "/nonexistent", SOUS_API_URL: url, ...env };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [BIN, ...args],
      { env: environment, timeout: 30_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}
