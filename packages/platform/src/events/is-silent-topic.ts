/**
 * @returns whether messages of a topic may grow too old unheard: those that functions publish, and what waits for a source. Of the
 * platform's own work somebody has to hear
 */
export const isSilentTopic = (topic: string): boolean =>
  topic.startsWith("user/") || topic.startsWith("events/");
