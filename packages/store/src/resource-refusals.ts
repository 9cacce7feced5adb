import type { FunctionKey } from "./store.ts";

/** @returns why a name cannot be used, in words that every driver says */
export const nameTaken = (kind: string, { namespace, name }: Omit<FunctionKey, "tenant">): string =>
  `${kind} ${namespace}/${name} exists; change it, or choose another name`;

/** @returns why a namespace takes no more, in words that every driver says */
export const namespaceFull = (kind: string, namespace: string, count: number): string =>
  `Namespace ${namespace} holds ${count} of kind ${kind}, which is all it may; delete one first`;
