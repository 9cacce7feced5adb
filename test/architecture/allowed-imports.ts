/** Which package may import which; ARCHITECTURE.md shows the same table. */
export const PACKAGE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  guest: ["contract"],
  store: ["contract"],
  codeq: ["contract", "store"],
  sandbox: ["contract", "guest"],
  platform: ["contract", "store", "codeq", "sandbox", "guest"],
  cli: ["contract", "platform"],
};

/** What only tests may import besides: the guest is tested in the isolates it is made for. */
export const TEST_IMPORTS: Readonly<Record<string, readonly string[]>> = { guest: ["sandbox"] };

/** Packages that must run where there is no Node: they import nothing of it. */
export const PORTABLE_PACKAGES: readonly string[] = ["contract", "guest"];

/** Folders of `platform` that are services: they meet in codeQ and the store, and none imports another. */
const SERVICES = [
  "control",
  "gateway",
  "invoker",
  "scheduler",
  "cadence",
  "event-sources",
  "console",
  "destinations",
];

/** Folders of `platform` that services share. */
const SHARED = [
  "auth",
  "config",
  "http",
  "telemetry",
  "catalog",
  "activations",
  "bundle",
  "secrets",
  "schedules",
  "cadence-workers",
  "events",
  "members",
];

/** Which folder of `platform` may import which; packages are ruled by the table above. */
export const PLATFORM_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(SERVICES.map((service) => [service, SHARED])),
  invoker: [...SHARED, "powers", "fleet"],
  destinations: [...SHARED, "powers"],
  "event-sources": [...SHARED, "powers"],
  auth: ["config", "http", "telemetry"],
  config: [],
  http: ["config", "telemetry"],
  telemetry: ["config"],
  catalog: ["bundle", "config", "telemetry"],
  activations: ["config", "telemetry"],
  bundle: [],
  secrets: [],
  "cadence-workers": [],
  schedules: ["auth", "catalog", "activations"],
  events: [],
  members: [],
  powers: ["config", "telemetry", "secrets"],
  fleet: ["config", "telemetry"],
  /** `cs fn test` and `cs doctor`: one function, or the host, without the services. */
  local: [...SHARED, "powers", "fleet", "invoker"],
  /** The only place where drivers are chosen and services are put together. */
  roles: [...SERVICES, ...SHARED, "powers", "fleet", "local"],
};

/** Packages that platform's folders may not use although the package may: a service never picks a driver. */
export const PLATFORM_PACKAGE_LIMITS: Readonly<Record<string, readonly string[]>> = {
  secrets: ["contract", "store"],
  members: ["contract", "store", "codeq"],
  powers: ["contract", "guest", "store", "codeq", "sandbox"],
  fleet: ["contract", "sandbox"],
  bundle: ["contract", "store", "sandbox"],
};

/** Files that run without being imported: programs of their own, and what the sandbox bundles for the guest. */
export const OTHER_ENTRIES: readonly RegExp[] = [
  /^packages\/cli\/src\/main\.ts$/,
  /^packages\/sandbox\/src\/isolate\/host\/main\.ts$/,
  /^packages\/sandbox\/src\/isolate\/closing\/self-jail\.ts$/,
  /^packages\/sandbox\/src\/isolate\/spawner\/main\.ts$/,
  /^packages\/guest\/src\/core\/bootstrap\.ts$/,
  /^packages\/guest\/src\/parts\/[^/]+-part\.ts$/,
  // What a library of the part `url` finds in place of its own dependencies.
  /^packages\/guest\/src\/parts\/url-[a-z-]+\.ts$/,
];

/** Finished parts that nothing uses so far; each leaves this list with its first use. */
export const NOT_USED_SO_FAR: readonly string[] = [];
