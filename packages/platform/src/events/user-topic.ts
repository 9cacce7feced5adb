/** @returns the name under which the queue knows a topic of functions: they live apart, by tenant and namespace */
export const userTopic = (tenant: string, namespace: string, topic: string): string =>
  `user/${tenant}/${namespace}/${topic}`;

/** What functions publish. */
export interface UserTopicBody {
  payload_json: string;
  /** How many functions called one another up to whoever takes it. */
  depth: number;
  /** The activation that published it, or whose end it tells. */
  published_by?: string;
  /** The sources that have not got it yet, by uid; absent for all. */
  only?: string[];
}
