import { LIMITS } from "@sous/contract";
import type { PageRequest } from "@sous/store";

/** @returns the page a query asks the store for */
export const pageRequest = (query: { limit?: number; cursor?: string }): PageRequest => ({
  limit: query.limit ?? LIMITS.pageSizeDefault,
  cursor: query.cursor,
});
