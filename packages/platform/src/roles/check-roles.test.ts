import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../config/load-config.ts";
import { ROLES, rolesOf } from "../config/role.ts";
import { checkRoles } from "./check-roles.ts";

const KEY = Buffer.alloc(32, 1).toString("base64");
const SHARED = { store: "redis://db", codeq: "redis://queue", secrets_key: [KEY] };

function check(role: string, flags: Record<string, unknown> = SHARED): string[] {
  const { config } = loadConfig({
    mode: "serve",
    flags: { ...flags, role },
    env: {},
    readFile: () => undefined,
  });
  return checkRoles(config, rolesOf(config.role));
}

const refused = (role: string, flags: Record<string, unknown>, message: RegExp): void =>
  assert.throws(
    () => check(role, flags),
    (error: Error & { code?: string }) =>
      error.code === "CS_VALIDATION_FAILED" && message.test(error.message),
  );

test("all roles in one process need nothing, however they are named", () => {
  assert.deepEqual(check("all", {}), []);
  assert.deepEqual(check(ROLES.join(","), {}), []);
});

test("each role starts alone on servers it shares with the others", () => {
  for (const role of ["control", "gateway", "invoker", "scheduler", "event-sources", "gateway,control"]) {
    assert.deepEqual(check(role), []);
  }
});

test("what belongs to one process is refused by the name of the setting, with what to use", () => {
  refused("gateway", {}, /role gateway .*setting store sqlite:.*postgres:\/\/… or redis:\/\/…/);
  refused("invoker", { ...SHARED, codeq: "memory:" }, /setting codeq memory: .*redis:\/\/…/);
});

test("control, invoker and event-sources ask for the key they have in common, gateway and scheduler do not", () => {
  const { secrets_key: _, ...without } = SHARED;
  refused("control", without, /setting secrets_key is missing; set SOUS_SECRETS_KEY/);
  refused("invoker,scheduler", without, /secrets_key/);
  check("gateway", without);
  check("scheduler", without);
  refused("event-sources", without, /secrets_key/);
  refused("control,invoker", without, /secrets_key/);
  check("control,invoker,event-sources", without);
});

test("pollers of Cadence ask where it is", () => {
  refused("cadence", SHARED, /setting cadence is none; set it to grpc:\/\/HOST:7833/);
  assert.deepEqual(check("cadence", { ...SHARED, cadence: "grpc://cadence:7833" }), []);
});

test("a budget that nobody could hold is refused", () => {
  const flags = { ...SHARED, "budgets.tenant_cpu_ms": 1000 };
  refused("gateway", flags, /setting budgets\.tenant_cpu_ms/);
  check("gateway,invoker", flags);
  check("scheduler", flags);
});

test("schedulers apart lead by the store unless told otherwise, which is warned of", () => {
  assert.match(check("scheduler", { ...SHARED, leader: "local:" })[0] ?? "", /set leader to store:/);
});

test("a role that is none is refused by name", () => {
  refused("gatway", SHARED, /setting role\.0 \(flag\)/);
});
