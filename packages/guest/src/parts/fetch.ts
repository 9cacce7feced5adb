import type { PartContext } from "../part-context.ts";
import { base64ToBytes, bytesToBase64 } from "./base64.ts";
import { Body } from "./body.ts";
import { Headers } from "./headers.ts";
import { bodyOf } from "./message.ts";
import { Request, type RequestInit } from "./request.ts";
import { isEmptyStatus, Response, ResponseSeed } from "./response.ts";

/** The answer of `cs.http.fetch`. */
interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[]>;
  /** Each `Set-Cookie`, where there are several. */
  cookies?: string[];
  body: string;
  isBase64Encoded: boolean;
  /** The address after redirects. */
  url?: string;
}

/**
 * Makes the global `fetch`: the WinterTC face of `cs.http.fetch`.
 * It rejects with a TypeError whose `cause` is the host's error and whose `code` is that error's code.
 */
export function createFetch(context: PartContext): Function {
  const ask = async (request: Request): Promise<Response> => {
    const options = {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      redirect: request.redirect,
      ...(await bodyOptions(request)),
    };
    let answer: HttpAnswer;
    try {
      answer = (await context.httpFetch(request.url, options)) as HttpAnswer;
    } catch (cause) {
      throw failure(cause);
    }
    return responseOf(answer, request.url);
  };
  return async function fetch(input: unknown, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    const signal = signalOf(input, init);
    if (signal === undefined) return await ask(request);
    signal.throwIfAborted();
    // The call itself cannot be taken back; what it answers later is not heard.
    return await new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      ask(request)
        .finally(() => signal.removeEventListener("abort", onAbort))
        .then(resolve, reject);
    });
  };
}

/** The signal somebody gave; asking the request for one would load the part `events`. */
function signalOf(input: unknown, init: RequestInit | undefined): AbortSignal | undefined {
  if (init?.signal !== undefined) return init.signal ?? undefined;
  return input instanceof Request ? input.signal : undefined;
}

async function bodyOptions(request: Request): Promise<{ body?: string; isBase64Encoded?: boolean }> {
  const body = bodyOf(request);
  if (body === null) return {};
  if (body.pendingText !== undefined) return { body: await body.text() };
  return { body: bytesToBase64(await body.bytes()), isBase64Encoded: true };
}

function responseOf(answer: HttpAnswer, asked: string): Response {
  const headers = new Headers();
  const told: HttpAnswer["headers"] = { ...answer.headers };
  if (answer.cookies !== undefined) told["set-cookie"] = answer.cookies;
  for (const name of Object.keys(told)) {
    for (const value of [told[name] ?? ""].flat()) {
      try {
        headers.append(name, value);
      } catch {
        // Servers send what the fetch standard has no words for.
      }
    }
  }
  const bytes = answer.isBase64Encoded ? base64ToBytes(answer.body) : answer.body;
  const url = answer.url ?? asked;
  const body = isEmptyStatus(answer.status) ? null : new Body(bytes, null);
  const redirected = url !== asked;
  return new Response(
    new ResponseSeed({ status: answer.status, headers, body, url, redirected, type: "basic" }),
  );
}

function failure(cause: unknown): Error {
  const { message, code } = cause as { message?: unknown; code?: unknown };
  const error = new TypeError(`fetch failed: ${message as string}`, { cause });
  if (typeof code === "string") Object.assign(error, { code });
  return error;
}
