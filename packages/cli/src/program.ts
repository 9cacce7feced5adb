import { Command } from "commander";
import type { CliDeps } from "./cli-deps.ts";
import type { Register } from "./register.ts";

interface Noun {
  summary: string;
  /** Whether commands stand below it; otherwise it is itself a command. */
  isGroup: boolean;
  load(): Promise<readonly Register[]>;
}

/** The first word of a command line. Only the files of the noun in use are loaded. */
const NOUNS: Readonly<Record<string, Noun>> = {
  dev: {
    summary: "run the whole platform here and redeploy on every change",
    isGroup: false,
    load: async () => [(await import("./commands/dev.ts")).registerDev],
  },
  serve: {
    summary: "run the platform as configured",
    isGroup: false,
    load: async () => [(await import("./commands/serve.ts")).registerServe],
  },
  fn: {
    summary: "functions: write, test, deploy, call",
    isGroup: true,
    load: async () => (await import("./commands/fn.ts")).fnCommands,
  },
  activation: {
    summary: "activations: what ran, why, and where the time went",
    isGroup: true,
    load: async () => (await import("./commands/activation.ts")).activationCommands,
  },
  dlq: {
    summary: "dead letters: what failed for good, and the way back",
    isGroup: true,
    load: async () => (await import("./commands/dlq.ts")).dlqCommands,
  },
  webhook: {
    summary: "webhooks: secrets that sign them, and whether a signature is right",
    isGroup: true,
    load: async () => (await import("./commands/webhook.ts")).webhookCommands,
  },
  http: {
    summary: "call functions over the web gateway",
    isGroup: true,
    load: async () => [(await import("./commands/http-invoke.ts")).registerHttpInvoke],
  },
  auth: {
    summary: "log in to a server",
    isGroup: true,
    load: async () => (await import("./commands/auth.ts")).authCommands,
  },
  secret: {
    summary: "secrets of functions",
    isGroup: true,
    load: async () => (await import("./commands/secret.ts")).secretCommands,
  },
  schedule: {
    summary: "schedules: functions that run by the clock",
    isGroup: true,
    load: async () => (await import("./commands/schedule.ts")).scheduleCommands,
  },
  cadence: {
    summary: "Cadence: functions that do the activities of workflows",
    isGroup: true,
    load: async () => (await import("./commands/cadence.ts")).cadenceCommands,
  },
  "event-source": {
    summary: "event sources: topics, webhooks, queues and streams that functions are run by",
    isGroup: true,
    load: async () => (await import("./commands/event-source.ts")).eventSourceCommands,
  },
  user: {
    summary: "users: who has tokens, and which roles those may have",
    isGroup: true,
    load: async () => (await import("./commands/user.ts")).userCommands,
  },
  token: {
    summary: "API tokens",
    isGroup: true,
    load: async () => (await import("./commands/token.ts")).tokenCommands,
  },
  audit: {
    summary: "who changed what",
    isGroup: true,
    load: async () => [(await import("./commands/audit-list.ts")).registerAuditList],
  },
  cluster: {
    summary: "the processes that make up the platform",
    isGroup: true,
    load: async () => (await import("./commands/cluster.ts")).clusterCommands,
  },
  config: {
    summary: "the platform's configuration",
    isGroup: true,
    load: async () => [(await import("./commands/config-print.ts")).registerConfigPrint],
  },
  migrate: {
    summary: "bring all data from one store to another",
    isGroup: false,
    load: async () => [(await import("./commands/migrate.ts")).registerMigrate],
  },
  backup: {
    summary: "copy all data into a file, while the platform serves",
    isGroup: false,
    load: async () => [(await import("./commands/backup.ts")).registerBackup],
  },
  restore: {
    summary: "bring a backup into the store",
    isGroup: false,
    load: async () => [(await import("./commands/restore.ts")).registerRestore],
  },
  doctor: {
    summary: "check what this machine offers",
    isGroup: false,
    load: async () => [(await import("./commands/doctor.ts")).registerDoctor],
  },
};

const VERSION = "0.1.0";
const OPTIONS_WITH_VALUE = new Set(["--api-url", "--gateway-url", "--token", "--tenant", "--namespace"]);

/**
 * Makes the program with the commands that a command line may mean: those of the noun in it, or, where it names
 * none (help, a slip of the pen), every noun with its summary.
 */
export async function createProgram(argv: readonly string[], deps: CliDeps): Promise<Command> {
  const program = new Command("cs")
    .description("SOUS: functions for code nobody has reviewed")
    .option("--json", "JSON on stdout, on a terminal too; NDJSON for streams")
    .option("--api-url <url>", "control API (SOUS_API_URL, the last login, http://localhost:8080)")
    .option(
      "--gateway-url <url>",
      "where functions are called, if not at the API's address (SOUS_GATEWAY_URL)",
    )
    .option("--token <token>", "API token (SOUS_TOKEN, the last login)")
    .option("--tenant <tenant>", "tenant (SOUS_TENANT, the last login, t_default)")
    .option("--namespace <namespace>", "namespace (SOUS_NAMESPACE, the last login, default)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void deps.stdout.write(text),
      writeErr: (text) => void deps.stderr.write(text),
      getOutHelpWidth: () => deps.stdout.columns ?? 100,
      getErrHelpWidth: () => deps.stderr.columns ?? 100,
    })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText("after", "\nExit codes: 0 done, 1 your side, 2 the server's side, 3 the function failed.");
  program.command("version", { hidden: true }).action(() => void deps.stdout.write(`${VERSION}\n`));

  const named = nounOf(argv);
  for (const [name, noun] of Object.entries(NOUNS)) {
    if (named !== undefined && named !== name) continue;
    const parent = noun.isGroup ? program.command(name).description(noun.summary) : program;
    if (named === name) for (const register of await noun.load()) register(parent, deps);
    else if (!noun.isGroup) program.command(name).description(noun.summary);
  }
  return program;
}

/** @returns the noun a command line is about, if its first word is one (after `help`, its second) */
function nounOf(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (OPTIONS_WITH_VALUE.has(word)) at++;
    else if (Object.hasOwn(NOUNS, word)) return word;
    else if (!word.startsWith("-") && word !== "help") return undefined;
  }
  return undefined;
}
