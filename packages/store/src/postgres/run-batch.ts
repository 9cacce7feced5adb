import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { COMMANDS, type CommandSteps } from "../sql/commands/commands.ts";
import type { Steps } from "../sql/commands/steps.ts";
import { messageOf, Refusal, type RefusalData } from "../sql/refusal.ts";
import { engineFailure, isDeadlock, isRace } from "./engine-failure.ts";
import { type Command, locksOf } from "./locks.ts";
import type { WriterLink } from "./writer-link.ts";

/** What became of one command: its answer (null for none), or why it was refused. */
export type Outcome = null | boolean | number | RefusalData;

type Answer = boolean | number | void;
type AnyCommand = (...args: readonly unknown[]) => Steps<Answer>;

type StepsOf = (command: Command) => Steps<Answer>;

/** A race that was lost is run again so often before it is a refusal. */
const RACES_MAX = 3;
/** Deadlocks of one batch before it is given up; the server needs a second to find one. */
const DEADLOCKS_MAX = 6;
const DEADLOCK_PAUSE_MS = 10;

/** A batch on its way to a link. */
export interface Batch {
  /** Counts up over the life of the writer. */
  number: number;
  commands: readonly Command[];
}

/**
 * Carries a batch out in a transaction, in order, up to but without its commit. Answers are not waited for unless a
 * command needs one to go on, so that a batch takes few round trips.
 *
 * No command is refused after it wrote, so refusals need no savepoint. A statement that fails ends the transaction
 * though: then the batch is undone and run again with a savepoint for each command. After a deadlock it is undone as a
 * whole: what one command alone would give back is not what the other transaction waits for.
 * @throws an error of the client when the server failed; nothing of the batch is kept
 */
export async function runBatch(link: WriterLink, commands: CommandSteps, batch: Batch): Promise<Outcome[]> {
  const stepsOf: StepsOf = ({ name, args }) => (commands[name] as AnyCommand)(...args);
  let run = runInOneGo;
  for (let deadlocks = 0; ;) {
    try {
      return await run(link, stepsOf, batch);
    } catch (error) {
      if (engineFailure(error) !== undefined) throw error;
      await link.control("rollback");
      if (isDeadlock(error)) {
        if (++deadlocks === DEADLOCKS_MAX) throw error;
        // The other transaction goes on now; begun at once, this one could be in its way again.
        await sleep(DEADLOCK_PAUSE_MS * deadlocks);
      } else if (run === runInOneGo) run = runWithSavepoints;
      else throw error;
    }
  }
}

async function runInOneGo(
  link: WriterLink,
  stepsOf: StepsOf,
  { commands, number }: Batch,
): Promise<Outcome[]> {
  const sent = new Sent(link);
  sent.add(link.control("begin"));
  const locks = locksOf(commands);
  if (locks.length > 0) sent.add(link.take(locks));
  const outcomes: (Outcome | Promise<Outcome>)[] = [];
  for (const command of commands) {
    const outcome = sent.carryOut(stepsOf(command));
    // What reads before it writes has to see what those before it wrote, and those after it what it wrote.
    if (COMMANDS[command.name].single === true) outcomes.push(outcome);
    else outcomes.push(await sent.settle(outcome));
    if (sent.failure !== undefined) break;
  }
  sent.add(link.mark(number));
  await sent.settled();
  return await Promise.all(outcomes);
}

/** Statements on their way. The first that fails fails the transaction; the others only follow it. */
class Sent {
  readonly #link: WriterLink;
  readonly #answers: Promise<unknown>[] = [];
  failure: { error: unknown } | undefined;

  constructor(link: WriterLink) {
    this.#link = link;
  }

  add(answer: Promise<unknown>): void {
    this.#answers.push(answer.catch((error: unknown) => void (this.failure ??= { error })));
  }

  /** Starts a command; its first statement has gone out when this returns. */
  carryOut(steps: Steps<Answer>): Promise<Outcome> {
    const outcome = this.#drive(steps);
    this.add(outcome);
    return outcome;
  }

  async #drive(steps: Steps<Answer>): Promise<Outcome> {
    try {
      let step = steps.next();
      while (step.done !== true) {
        const answer = this.#link.ask(step.value);
        if (step.value.want === "nothing") {
          this.add(answer);
          step = steps.next();
        } else step = steps.next(await answer);
      }
      return step.value ?? null;
    } catch (error) {
      if (error instanceof Refusal) return { code: error.code, message: error.message };
      throw error;
    }
  }

  /** Waits for one outcome. @throws the first failure: what comes after it fails for it, and says nothing of why */
  async settle(outcome: Promise<Outcome>): Promise<Outcome> {
    try {
      return await outcome;
    } catch (error) {
      throw this.failure?.error ?? error;
    }
  }

  /** Waits for every answer. @throws the first failure */
  async settled(): Promise<void> {
    // Commands add while they are waited for.
    for (let at = 0; at < this.#answers.length; at++) await this.#answers[at];
    if (this.failure !== undefined) throw this.failure.error;
  }
}

async function runWithSavepoints(
  link: WriterLink,
  stepsOf: StepsOf,
  { commands, number }: Batch,
): Promise<Outcome[]> {
  await link.control("begin");
  const locks = locksOf(commands);
  if (locks.length > 0) await link.take(locks);
  const outcomes: Outcome[] = [];
  for (const command of commands) outcomes.push(await runAlone(link, () => stepsOf(command)));
  await link.mark(number);
  assert.equal(outcomes.length, commands.length);
  return outcomes;
}

async function runAlone(link: WriterLink, start: () => Steps<Answer>): Promise<Outcome> {
  await link.control("savepoint command");
  for (let race = 1; ; race++) {
    try {
      const sent = new Sent(link);
      const outcome = await sent.settle(sent.carryOut(start()));
      await sent.settled();
      await link.control("release command");
      return outcome;
    } catch (error) {
      if (engineFailure(error) !== undefined || isDeadlock(error)) throw error;
      await link.control("rollback to command");
      if (isRace(error) && race < RACES_MAX) continue;
      return { code: "CS_STORE_WRITE_FAILED", message: `The store refused the write: ${messageOf(error)}` };
    }
  }
}
