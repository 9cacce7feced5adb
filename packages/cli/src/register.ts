import type { Command } from "commander";
import type { CliDeps } from "./cli-deps.ts";

/** Adds one command below its noun. */
export type Register = (parent: Command, deps: CliDeps) => void;

/** @returns the group of this name below a command, made on first use: `draft` of `cs fn draft upload` */
export function groupOf(parent: Command, name: string, description: string): Command {
  const found = parent.commands.find((command) => command.name() === name);
  return found ?? parent.command(name).description(description);
}
