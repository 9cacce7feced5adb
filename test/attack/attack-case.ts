import type { Isolation } from "@sous/contract";
import type { InvokeAnswer } from "../support/api.ts";

type Check = (answer: InvokeAnswer) => void;

/** One way for a function to misbehave, and how it must end on each isolation mode. */
export interface AttackCase {
  /** As it stands in SECURITY.md. */
  name: string;
  /** The body of `export default async function handle(event, ctx) { … }`, or a whole module when it has `export`. */
  code: string;
  /** More files of the bundle. */
  files?: Record<string, string>;
  limits?: Record<string, number>;
  capabilities?: Record<string, unknown>;
  budgets?: Record<string, number>;
  /** Events of calls made before the one that is judged, whose event is `{}`. */
  before?: readonly unknown[];
  /** How the activation must end: the status, or `status/ErrorType`; several where the engine may choose. */
  ends: readonly string[];
  /** What the answer must be, beyond its status. */
  check?: Check;
  /** Modes on which it must end in another way; `shared` ends as `warm` unless it is named. */
  differs?: Partial<Record<Isolation, Pick<AttackCase, "ends" | "check">>>;
  /** What differs between the modes, for SECURITY.md. */
  note?: string;
}

/** @returns how a case must end on a mode */
export const endsOn = (attack: AttackCase, isolation: Isolation): readonly string[] =>
  differenceOn(attack, isolation)?.ends ?? attack.ends;

/** @returns what its answer must be on a mode, if that is checked */
export const checkOn = (attack: AttackCase, isolation: Isolation): Check | undefined => {
  const other = differenceOn(attack, isolation);
  return other === undefined ? attack.check : other.check;
};

const differenceOn = ({ differs }: AttackCase, isolation: Isolation) =>
  differs?.[isolation] ?? (isolation === "shared" ? differs?.warm : undefined);

/** @returns the bundle of a case */
export function sourceOf(attack: AttackCase): string {
  if (attack.code.includes("export ")) return attack.code;
  return `export default async function handle(event, ctx) {\n${attack.code}\n}\n`;
}
