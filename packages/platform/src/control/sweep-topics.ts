import type { CodeQ } from "@sous/codeq";
import { isSilentTopic } from "../events/is-silent-topic.ts";

/** Topics looked at in one sweep, and messages of one of them that go: the next sweep goes on. */
const TOPICS_MAX = 1000;
const MESSAGES_MAX = 10_000;

export interface TopicSweeperOptions {
  codeq: Pick<CodeQ<unknown, unknown>, "topics" | "discard">;
}

/**
 * Makes what lets go of messages that are too old in topics that nobody consumes; where somebody does, the queue has told him
 * before. A sweep is bounded, and the next one begins where it ended.
 * @returns a sweep. @throws CS_CODEQ_PUBLISH_FAILED
 */
export function createTopicSweeper({ codeq }: TopicSweeperOptions): () => Promise<void> {
  let last = "";
  let sweeping: Promise<void> | undefined;

  async function sweep(): Promise<void> {
    const names = (await codeq.topics()).filter(isSilentTopic).sort();
    const from = names.findIndex((name) => name > last);
    const turn = (from < 0 ? names : names.slice(from)).slice(0, TOPICS_MAX);
    for (const name of turn) {
      await codeq.discard(name, "expired", MESSAGES_MAX);
      last = name;
    }
  }

  return () => (sweeping ??= sweep().finally(() => (sweeping = undefined)));
}
