import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { type ClientRequest, request } from "node:http";
import { test } from "node:test";
import { createMemoryCodeQ } from "@sous/codeq";
import { createMapJournal } from "@sous/codeq/contract";
import { createSqliteStore } from "@sous/store";
import { EVENT_SOURCE_KIND } from "../../events/event-resources.ts";
import type { InboxBody } from "../../events/inbox.ts";
import { createFrontServer } from "../../http/front-server.ts";
import { createBodyRoom } from "../../http/read-body.ts";
import { SOURCE } from "../testing/source-world.ts";
import { createWebhookDoor } from "./webhook-door.ts";

const SECRET = "key";

/** A door with one source, whose senders sign as GitHub does, and so much room for bodies. */
async function openDoor(bodiesBytesMax: number) {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const queue = { clock: Date.now, journal: createMapJournal() };
  const inboxes = stack.use(await createMemoryCodeQ<InboxBody, unknown>(queue));
  const { tenant, namespace, name } = SOURCE;
  const webhook = { signature: { scheme: "github", secret: "hub" } };
  const record = JSON.stringify({ ...SOURCE, type: "webhook", webhook });
  await store.resources.create(EVENT_SOURCE_KIND, { tenant, namespace, name }, record, 10);
  const room = createBodyRoom(bodiesBytesMax);
  const door = createWebhookDoor({
    resources: store.resources,
    inboxes,
    secrets: { read: async () => SECRET },
    auth: {
      authenticate: () => assert.fail("its senders sign"),
      forget: () => {},
      [Symbol.asyncDispose]: async () => {},
    },
    clients: undefined,
    clientIp: () => "127.0.0.1",
    bodies: room,
    clock: Date.now,
    onFault: (error) => assert.fail(String(error)),
  });
  const server = createFrontServer({
    routes: [door],
    fallback: () => assert.fail("all of it is the door's"),
  });
  stack.defer(() => server.close(0));
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  const owned = stack.move();
  return {
    room,
    /** Begins a request for a body of such a length. */
    begin(path: string, length: number, signature?: string): ClientRequest {
      const headers = {
        "content-length": length,
        ...(signature === undefined ? {} : { "x-hub-signature-256": signature }),
      };
      const sent = request({ port, host: "127.0.0.1", method: "POST", path, headers });
      sent.on("error", () => {});
      sent.flushHeaders();
      return sent;
    },
    path: `/v1/events/${tenant}/${namespace}/${name}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function statusOf(sent: ClientRequest): Promise<number | undefined> {
  const [response] = (await once(sent, "response")) as [{ statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

const sign = (body: Buffer): string => `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;

test("who names no source, or does not sign, is refused before his body is there", async () => {
  await using door = await openDoor(10_000_000);
  assert.equal(await statusOf(door.begin("/v1/events/t_default/default/none", 900_000)), 404);
  assert.equal(await statusOf(door.begin(door.path, 900_000)), 401);
  assert.equal(await statusOf(door.begin(door.path, 900_000, "sha256=")), 401);
});

test("bodies of webhooks together hold no more than there is room for, with those of other doors", async () => {
  await using door = await openDoor(500_000);
  const body = Buffer.alloc(300_000, "x");
  const taken = door.begin(door.path, body.length, sign(body));
  taken.end(body);
  assert.equal(await statusOf(taken), 202);
  door.room.held = 400_000;
  const refused = door.begin(door.path, body.length, sign(body));
  refused.end(body);
  assert.equal(await statusOf(refused), 429);
  assert.equal(door.room.held, 400_000);
});
