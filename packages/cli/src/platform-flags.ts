import type { Command } from "commander";
import { wholeNumber } from "./command-context.ts";
import type { PlatformFlags } from "./platform-port.ts";

const NAMES = [
  "port",
  "host",
  "data",
  "store",
  "codeq",
  "bundles",
  "auth",
  "cadence",
  "config",
  "role",
] as const;

/** Adds the flags of SPEC 14 that configure a platform; each has a name in the environment, as SOUS_STORE. */
export const addPlatformFlags = (command: Command): Command =>
  command
    .option("--port <port>", "port to listen on", wholeNumber(0, 65_535))
    .option("--host <address>", "address to listen on")
    .option("--data <folder>", "folder of the embedded store and the key file")
    .option("--store <url>", "store: sqlite:FILE, postgres://USER@HOST/DATABASE, redis://HOST:PORT")
    .option("--codeq <url>", "queue: memory:, redis://HOST:PORT, nats://HOST:PORT")
    .option("--bundles <url>", "bundles: store:, file:FOLDER, s3://BUCKET/PREFIX")
    .option("--auth <url>", "authentication: none, local:, tikti+https://…")
    .option("--cadence <url>", "Cadence server whose activities functions do: grpc://HOST:7833")
    .option("--config <file>", "cs.yaml");

/** Adds `--role`, for what runs a part of a platform. */
export const addRoleFlag = (command: Command): Command =>
  command.option(
    "--role <names>",
    "what this process is: all, or any of control, gateway, invoker, scheduler, cadence, event-sources; may be given again",
    (names: string, before: string[] | undefined) => [
      ...(before ?? []),
      ...names.split(",").map((name) => name.trim()),
    ],
  );

/** @returns only the flags that were given, so that environment, file and defaults fill in the rest */
export const readPlatformFlags = (options: PlatformFlags): PlatformFlags =>
  Object.fromEntries(NAMES.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
