import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The function every server of the bench runs. */
export const HELLO_CODE = `export default async function handle(event) {
  return { statusCode: 200, headers: {}, body: JSON.stringify({ message: "hi " + event.name }) };
}`;

/** The event: 108 bytes of JSON. */
export const EVENT_JSON = JSON.stringify({ name: "x".repeat(97) });

/** Writes a script for wrk that posts the event. @returns its path */
export function postScript(headers: Record<string, string> = {}): string {
  const lines = [
    'wrk.method = "POST"',
    `wrk.body = [[${EVENT_JSON}]]`,
    'wrk.headers["content-type"] = "application/json"',
  ];
  for (const [name, value] of Object.entries(headers)) lines.push(`wrk.headers["${name}"] = "${value}"`);
  return write(lines.join("\n"));
}

/** @returns the path of a script that only gets */
export const getScript = (): string => write("");

function write(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "sous-wrk-")), "script.lua");
  writeFileSync(path, text);
  return path;
}
