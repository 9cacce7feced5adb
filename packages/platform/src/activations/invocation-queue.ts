import type { CodeQ } from "@sous/codeq";
import type { Invocation } from "@sous/contract";
import type { InvocationReply } from "./invocation-reply.ts";

/** The one queue between ingress and execution. */
export type InvocationCodeQ = CodeQ<Invocation, InvocationReply>;
