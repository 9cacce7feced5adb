import { PlatformError } from "@sous/contract";
import { Agent, request } from "undici";
import type { Authenticator } from "./authenticator.ts";
import { readTiktiReply } from "./tikti-reply.ts";
import { createVerdictCache, type Verdict } from "./verdict-cache.ts";

export interface TiktiAuthenticatorOptions {
  /** `tikti+https://host/path`, or plain `https://host/path`. */
  url: string;
  /** Sent as `?key=`; also taken from the URL's own `key` parameter. */
  apiKey?: string;
  /** Epoch milliseconds. */
  clock: () => number;
  /** How long one question may take in all (5,000). */
  timeoutMs?: number;
  /** How long a good token is trusted, never past its `exp` (60,000). */
  ttlMs?: number;
}

const REPLY_BYTES_MAX = 65_536;

/**
 * `auth: tikti+https://…`: asks a Tikti service about each token (SPEC 9). Fails closed: while the service
 * does not answer, only tokens it vouched for within the last `ttlMs` pass.
 */
export function createTiktiAuthenticator(options: TiktiAuthenticatorOptions): Authenticator {
  const { clock, timeoutMs = 5000 } = options;
  const url = new URL(options.url.replace(/^tikti\+/, ""));
  if (options.apiKey !== undefined) url.searchParams.set("key", options.apiKey);
  const agent = new Agent({ connections: 16, connect: { timeout: timeoutMs } });

  const verify = async (token: string, requestId: string | undefined): Promise<Verdict> =>
    readTiktiReply(await ask(url, token, requestId, agent, timeoutMs), token, clock());
  const cache = createVerdictCache({
    verify,
    clock,
    ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }),
  });

  return {
    authenticate: (authorization, info) => cache.authenticate(authorization, info?.requestId),
    forget() {},
    async [Symbol.asyncDispose]() {
      await agent.destroy();
    },
  };
}

async function ask(
  url: URL,
  token: string,
  requestId: string | undefined,
  agent: Agent,
  timeoutMs: number,
): Promise<unknown> {
  const { statusCode, text } = await exchange(url, token, requestId, agent, timeoutMs);
  if (statusCode >= 500 || statusCode === 429 || statusCode === 408) {
    throw unavailable(`the identity service answers ${statusCode}`);
  }
  if (statusCode !== 200) {
    throw new PlatformError("CS_AUTHN_INVALID_TOKEN", "the identity service does not accept the token");
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unavailable("the identity service answered something that is not JSON", cause);
  }
}

async function exchange(
  url: URL,
  token: string,
  requestId: string | undefined,
  agent: Agent,
  timeoutMs: number,
): Promise<{ statusCode: number; text: string }> {
  try {
    const reply = await request(url, {
      method: "POST",
      dispatcher: agent,
      // Covers connect, headers and body together; undici's own timeouts start anew for each.
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...(requestId === undefined ? {} : { "x-request-id": requestId }),
      },
      body: JSON.stringify({ token, idToken: token }),
    });
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of reply.body as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > REPLY_BYTES_MAX) throw unavailable("the identity service answered too much");
      parts.push(part);
    }
    return { statusCode: reply.statusCode, text: Buffer.concat(parts).toString("utf8") };
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw unavailable("the identity service does not answer", cause);
  }
}

const unavailable = (message: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_AUTHN_UNAVAILABLE", `${message}; try again`, { cause, retryAfterSeconds: 5 });
