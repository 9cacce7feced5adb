import { ERROR_CATALOGUE, type ErrorCode } from "@sous/contract/errors";
import { CliError, EXIT } from "./cli-error.ts";
import type { HttpAnswer, HttpRequest } from "./http-client.ts";

/** Reads the error envelope of SPEC 6; anything else that answers with an error is told by its status. */
export function errorOfAnswer(answer: HttpAnswer, request: HttpRequest): CliError {
  const exitCode = answer.status >= 500 ? EXIT.server : EXIT.client;
  const text = answer.body.toString("utf8");
  const header = answer.headers["x-request-id"];
  const fallbackId = typeof header === "string" ? header : undefined;
  const error = readEnvelope(text);
  if (error === undefined) {
    return new CliError(`${request.method} ${request.path} answered ${answer.status}`, {
      exitCode,
      ...(fallbackId === undefined ? {} : { requestId: fallbackId }),
      hint: text === "" ? "Is --api-url the address of a SOUS control API?" : text.slice(0, 200),
    });
  }
  const requestId = error.request_id ?? fallbackId;
  const hint = hintOf(error.code);
  return new CliError(error.message, {
    exitCode,
    code: error.code,
    ...(requestId === undefined ? {} : { requestId }),
    ...(hint === undefined ? {} : { hint }),
    ...(error.details === undefined ? {} : { details: error.details }),
  });
}

interface ErrorBody {
  code: string;
  message: string;
  request_id?: string;
  details?: Record<string, unknown>;
}

function readEnvelope(text: string): ErrorBody | undefined {
  try {
    const body: { error?: Partial<ErrorBody> } | null = JSON.parse(text);
    const error = body?.error;
    if (typeof error?.code !== "string" || typeof error.message !== "string") return undefined;
    return { ...error, code: error.code, message: error.message };
  } catch {
    return undefined;
  }
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, code);
const hintOf = (code: string): string | undefined =>
  isErrorCode(code) ? ERROR_CATALOGUE[code].hint : undefined;
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";

/** @returns the system's code of an error, also of one that stands for several attempts */
export function systemCodeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return systemCodeOf(error.errors[0]);
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Says that no answer came: nobody listens, or the connection broke. */
export function unreachable(apiUrl: string, cause: unknown): CliError {
  const code = systemCodeOf(cause);
  const refused = code === "ECONNREFUSED";
  const why = code ?? (cause instanceof Error ? cause.message : "no connection");
  return new CliError(`cannot reach ${apiUrl}: ${refused ? "nobody listens there" : why}`, {
    exitCode: EXIT.server,
    hint: refused
      ? "Start a platform with `cs dev`, or name one with --api-url."
      : "Check --api-url and the network.",
    cause,
  });
}
