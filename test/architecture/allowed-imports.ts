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

/** Packages that must run where there is no Node: they import nothing of it. */
export const PORTABLE_PACKAGES: readonly string[] = ["contract", "guest"];

/** Folders of `platform` that are services: they meet in codeQ and the store, and none imports another. */
const SERVICES = ["control", "gateway", "invoker", "scheduler", "cadence", "event-sources", "console"];

/** Folders of `platform` that services share. */
const SHARED = ["auth", "config", "http", "telemetry", "catalog", "activations", "bundle"];

/** Which folder of `platform` may import which; packages are ruled by the table above. */
export const PLATFORM_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(SERVICES.map((service) => [service, SHARED])),
  invoker: [...SHARED, "powers", "fleet"],
  auth: ["config", "http", "telemetry"],
  config: [],
  http: ["config", "telemetry"],
  telemetry: ["config"],
  catalog: ["bundle", "config", "telemetry"],
  activations: ["config", "telemetry"],
  bundle: [],
  powers: ["config", "telemetry"],
  fleet: ["config", "telemetry"],
  /** `cs fn test` and `cs doctor`: one function, or the host, without the services. */
  local: [...SHARED, "powers", "fleet", "invoker"],
  /** The only place where drivers are chosen and services are put together. */
  roles: [...SERVICES, ...SHARED, "powers", "fleet", "local"],
};

/** Packages that platform's folders may not use although the package may: a service never picks a driver. */
export const PLATFORM_PACKAGE_LIMITS: Readonly<Record<string, readonly string[]>> = {
  powers: ["contract", "store", "codeq", "sandbox"],
  fleet: ["contract", "sandbox"],
  bundle: ["contract", "store", "sandbox"],
};
