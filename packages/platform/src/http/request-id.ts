import { newRequestId } from "@sous/contract";

const SAFE_REQUEST_ID = /^[A-Za-z0-9._:-]{8,64}$/;

/**
 * @param header the caller's `X-Request-Id`
 * @returns it when it has 8–64 safe characters, else a new id, `req_` and a ULID
 */
export const requestIdOf = (header: string | readonly string[] | undefined): string =>
  typeof header === "string" && SAFE_REQUEST_ID.test(header) ? header : newRequestId();
