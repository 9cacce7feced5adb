import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type ClientRequest } from "node:http";
import { test } from "node:test";
import { createFrontServer } from "./front-server.ts";
import { createBodyReader, createBodyRoom } from "./read-body.ts";

/** A server that answers with the length of a body, or with the code it was refused with. */
async function serve(limits: { bytesMax: number; allBytesMax: number }) {
  const read = createBodyReader({ bytesMax: limits.bytesMax, room: createBodyRoom(limits.allBytesMax) });
  const server = createFrontServer({
    routes: [
      (incoming, response) => {
        read(
          incoming,
          (body) => response.end(incoming.url === "/back" ? body : String(body.length)),
          (error) => response.end(error.code),
        );
        return true;
      },
    ],
    fallback: () => assert.fail("nothing is left to it"),
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  const open = (path = "/"): ClientRequest => request({ port, host: "127.0.0.1", method: "POST", path });
  const answer = async (sent: ClientRequest): Promise<string> => {
    const [response] = (await once(sent, "response")) as [NodeJS.ReadableStream];
    let text = "";
    for await (const chunk of response) text += String(chunk);
    return text;
  };
  return {
    open,
    answer,
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

test("a body is read whole, or refused past its bound", async () => {
  await using server = await serve({ bytesMax: 200_000, allBytesMax: 1_000_000 });
  for (const [size, expected] of [
    [0, "0"],
    [10, "10"],
    [200_000, "200000"],
    [200_001, "CS_PAYLOAD_TOO_LARGE"],
  ] as const) {
    const sent = server.open();
    sent.end(Buffer.alloc(size));
    assert.equal(await server.answer(sent), expected);
  }
});

test("slow senders together hold no more than the bound, and give back what they held", async () => {
  await using server = await serve({ bytesMax: 400_000, allBytesMax: 500_000 });
  const slow = server.open();
  slow.on("error", () => {});
  slow.setHeader("content-length", 400_000);
  slow.write(Buffer.alloc(300_000));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const refused = server.open();
  refused.on("error", () => {});
  refused.end(Buffer.alloc(300_000));
  assert.equal(await server.answer(refused), "CS_RATE_LIMITED");
  slow.destroy();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const taken = server.open();
  taken.end(Buffer.alloc(300_000));
  assert.equal(await server.answer(taken), "300000");
});

test("a body of pieces of any size comes out as it was sent", async () => {
  await using server = await serve({ bytesMax: 2_000_000, allBytesMax: 4_000_000 });
  const sent = server.open("/back");
  const text: string[] = [];
  // Chunked: each piece reaches the reader by itself.
  for (const [size, times] of [
    [1, 3000],
    [50_000, 2],
    [4096, 9],
    [4097, 5],
    [7, 5000],
    [16_384, 3],
    [1, 1],
  ] as const) {
    for (let at = 0; at < times; at++) {
      const piece = String.fromCharCode(97 + (text.length % 26)).repeat(size);
      text.push(piece);
      sent.write(piece);
    }
  }
  sent.end();
  assert.equal(await server.answer(sent), text.join(""));
});
