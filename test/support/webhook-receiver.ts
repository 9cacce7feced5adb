import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

/** One delivery as it came. */
export interface ReceivedWebhook {
  id: string;
  path: string;
  event: Record<string, Record<string, unknown>> & { requestPayload: unknown; responsePayload: unknown };
  headers: Record<string, string>;
  body: string;
  /** Whether its signature is right. */
  verified: boolean;
}

/** A server on loopback that takes webhooks and verifies them as any receiver would. */
export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  readonly received: ReceivedWebhook[];
  /** What it answers the deliveries on a path, one after the other, then 204. */
  answers: Map<string, { status: number; headers?: Record<string, string> }[]>;
}

export async function startWebhookReceiver(secret: string): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = [];
  const answers: WebhookReceiver["answers"] = new Map();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      const path = request.url ?? "";
      const headers = request.headers as Record<string, string>;
      received.push({
        id: String(headers["webhook-id"]),
        path,
        event: JSON.parse(body) as ReceivedWebhook["event"],
        headers,
        body,
        verified: isSigned(secret, body, headers),
      });
      const answer = answers.get(path)?.shift() ?? { status: 204 };
      response.writeHead(answer.status, answer.headers).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answers,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function isSigned(secret: string, body: string, headers: Record<string, string>): boolean {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}
