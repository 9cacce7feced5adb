import { ErrorReply } from "@sous/contract";
import type { TSchema } from "typebox";

/** @returns the response schemas of a route: those given by status, and the error envelope for the rest */
export const answers = <A extends Record<number, TSchema>>(
  replies: A,
): A & { default: typeof ErrorReply } => ({
  ...replies,
  default: ErrorReply,
});
