import { PlatformError } from "@sous/contract";
import type { Config } from "../config/config-schema.ts";
import { isApart, type Role } from "../config/role.ts";
import { isEmbedded } from "./open-codeq.ts";

type Checked = Pick<Config, "store" | "codeq" | "leader" | "cadence" | "secrets_key" | "budgets">;

/**
 * Checks that a process with these roles can work with the others of its platform: what they have in common lies in
 * servers, and is given to each.
 * @returns what an operator should know, a line each
 * @throws CS_VALIDATION_FAILED naming the setting and what to set it to
 */
export function checkRoles(config: Checked, roles: ReadonlySet<Role>): string[] {
  if (!isApart(roles)) return [];
  const names = [...roles].join(",");
  if (config.store.startsWith("sqlite:")) {
    throw refused(
      names,
      "store",
      `${config.store} belongs to one process; set it to postgres://… or redis://…, the same for every role`,
    );
  }
  if (isEmbedded(config.codeq)) {
    throw refused(
      names,
      "codeq",
      `${config.codeq} belongs to one process; set it to redis://…, the same for every role`,
    );
  }
  if (roles.has("cadence") && config.cadence === "none") {
    throw refused(names, "cadence", "is none; set it to grpc://HOST:7833, where the Cadence server is");
  }
  // One of them writes secrets, the others read them.
  if (isShared(roles, ["control", "invoker", "event-sources"]) && config.secrets_key.length === 0) {
    throw refused(
      names,
      "secrets_key",
      "is missing; set SOUS_SECRETS_KEY to the same key for control, invokers and event-sources (openssl rand -base64 32)",
    );
  }
  const bound = Object.entries(config.budgets).find(
    ([name, value]) => /^(tenant|token)_/.test(name) && value > 0,
  );
  // Asked by the gateway, charged by the invoker, counted in memory.
  if (bound !== undefined && roles.has("gateway") !== roles.has("invoker")) {
    throw refused(
      names,
      `budgets.${bound[0]}`,
      "is counted where work comes in and runs; set it to 0, or let one process be gateway and invoker",
    );
  }
  if (config.leader !== "local:") return [];
  const warnings: string[] = [];
  if (roles.has("scheduler")) {
    warnings.push(
      "leader local: publishes ticks in every scheduler; set leader to store: unless there is only one",
    );
  }
  if (roles.has("event-sources")) {
    warnings.push(
      "leader local: reads every event source in every such process; set leader to store: unless there is only one",
    );
  }
  return warnings;
}

/** Whether a process has some of these roles, and leaves others of them to other processes. */
const isShared = (roles: ReadonlySet<Role>, names: readonly Role[]): boolean =>
  names.some((name) => roles.has(name)) && names.some((name) => !roles.has(name));

function refused(roles: string, key: string, problem: string): PlatformError {
  const message = `role ${roles} cannot start alone: setting ${key} ${problem}`;
  return new PlatformError("CS_VALIDATION_FAILED", message, { details: { key } });
}
