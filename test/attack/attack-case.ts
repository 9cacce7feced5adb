import type { InvokeAnswer } from "../support/api.ts";

/** One way for a function to misbehave, and how it must end. */
export interface AttackCase {
  /** As it stands in SECURITY.md. */
  name: string;
  /** The body of `export default async function handle(event, ctx) { … }`, or a whole module when it has `export`. */
  code: string;
  /** More files of the bundle. */
  files?: Record<string, string>;
  limits?: Record<string, number>;
  capabilities?: Record<string, unknown>;
  isolation?: "warm" | "context" | "fresh";
  /** How the activation must end: the status, or `status/ErrorType`; several where the engine may choose. */
  ends: readonly string[];
  /** What the answer must be, beyond its status. */
  check?: (answer: InvokeAnswer) => void;
}

/** @returns the bundle of a case */
export function sourceOf(attack: AttackCase): string {
  if (attack.code.includes("export ")) return attack.code;
  return `export default async function handle(event, ctx) {\n${attack.code}\n}\n`;
}
