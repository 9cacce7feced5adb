/** Settings of the platform that flags may set; what is missing comes from environment, file and defaults. */
export interface PlatformFlags {
  port?: number;
  host?: string;
  /** Folder of the embedded store. */
  data?: string;
  store?: string;
  codeq?: string;
  bundles?: string;
  auth?: string;
  cadence?: string;
  /** Path of `cs.yaml`. */
  config?: string;
  /** Roles of the process. */
  role?: string[];
}

/** A platform that runs in this process. */
export interface RunningPlatform {
  /** Where the control API, the gateway and the console answer: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Which authentication is on: `none`, `local`, … */
  readonly auth: string;
  /** The first token of a new installation, to be shown once; `undefined` afterwards and without tokens. */
  readonly firstToken: string | undefined;
  /** Where data is kept, for people. */
  readonly data: string;
  /** What runs here: `all`, or roles apart by commas. */
  readonly role: string;
  /** Things an operator should know at start, a line each. */
  readonly warnings: readonly string[];
  /** Finishes what runs, within a bound, and closes everything. */
  close(): Promise<void>;
}

export interface LocalRunOptions {
  /** Absolute path of the folder with manifest.json. */
  folder: string;
  /** Name the function has in `ctx.function`. */
  name: string;
  event: unknown;
  /** Instead of the manifest's. */
  timeoutMs?: number;
  /** Note what is asked for instead of going by the manifest: deny everything, or let keys and topics through. */
  observe?: "deny" | "allow";
}

/** One activation of a function in the very runtime the platform uses, without a platform. */
export interface LocalRun {
  status: "success" | "error" | "timeout" | "cancelled";
  result?: {
    statusCode: number;
    headers: Record<string, string>;
    cookies?: string[];
    body: string;
    isBase64Encoded: boolean;
  };
  error?: {
    type: string;
    message: string;
    stack?: string;
    details?: { budget: string; limit: number };
  };
  /** Lines as an activation's log has them: `[level] text`. */
  logs: string[];
  duration_ms: number;
  timings: Record<string, number>;
  /** What it asked for, with `observe`. */
  observed?: ObservedPowers;
  /** What it used of its budgets; absent when nothing ran. */
  usage?: Record<string, number>;
}

/** What a function asked for, and the smallest powers that would have been enough. */
export interface ObservedPowers {
  calls: { kind: string; what: string; count: number; allowed: boolean }[];
  /** For `manifest.json`. */
  capabilities: object;
  /** For the config of the version. */
  secrets: string[];
}

export interface DoctorCheck {
  name: string;
  status: "ok" | "warn" | "fail";
  /** What was found. */
  detail: string;
  /** What to do, where something should be done. */
  hint?: string;
}

/** What this machine offers: Node, isolation tiers, limits. */
export interface DoctorReport {
  checks: DoctorCheck[];
  /** How far sandbox hosts are closed here, where one starts: what `sandbox.require` can ask for. */
  level?: "open" | "closed" | "strict";
}

export interface ConfigEntry {
  /** Dotted name: `codeq.url`. */
  key: string;
  /** Secrets read `[redacted]`. */
  value: unknown;
  /** Where it comes from: `flag`, `env SOUS_PORT`, `file cs.yaml`, `default`. */
  source: string;
}

/** How far a long piece of work over data is. */
export interface DataProgress {
  step: "look" | "copy" | "verify" | "bundles";
  /** `functions`, `activations`…; absent with bundles. */
  kind?: string;
  rows: number;
}

/** What was brought from one store to another. */
export interface DataReport {
  from: string;
  to: string;
  dry_run: boolean;
  /** In the source, written to the target, there before and the same, there before and different. */
  kinds: { kind: string; rows: number; written: number; same: number; kept: number }[];
  /** Some of what was left as it was in the target. */
  kept: string[];
  /** Hashes that could not be brought over. */
  damaged_bundles: string[];
  warnings: string[];
  bundles?: { to: string; written: number; same: number; damaged: string[] };
}

/** What is asked of bringing data over. */
export interface DataOptions {
  merge?: boolean | undefined;
  dryRun?: boolean | undefined;
  onProgress?: (progress: DataProgress) => void;
}

export interface MigrateDataOptions extends DataOptions {
  from: string;
  to: string;
  bundlesFrom?: string | undefined;
  bundlesTo?: string | undefined;
  /** Epoch milliseconds. */
  sinceMs?: number | undefined;
  withoutActivations?: boolean | undefined;
  config?: string | undefined;
}

export interface BackupReport {
  store: string;
  file: string;
  size_bytes: number;
  warnings: string[];
}

/** What the command line needs of `@sous/platform`; loaded on first use, so that other commands start fast. */
export interface PlatformPort {
  startPlatform(options: { mode: "dev" | "serve"; flags: PlatformFlags }): Promise<RunningPlatform>;
  runLocally(options: LocalRunOptions): Promise<LocalRun>;
  inspectHost(): Promise<DoctorReport>;
  describeConfig(flags: PlatformFlags): Promise<ConfigEntry[]>;
  migrateData(options: MigrateDataOptions): Promise<DataReport>;
  backupData(
    options: Pick<DataOptions, "onProgress"> & { file: string; flags: PlatformFlags },
  ): Promise<BackupReport>;
  restoreData(options: DataOptions & { file: string; flags: PlatformFlags }): Promise<DataReport>;
}
