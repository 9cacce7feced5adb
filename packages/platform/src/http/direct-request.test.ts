import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { DirectResponse } from "./direct-response.ts";
import { createBodyReader, createBodyRoom } from "./read-body.ts";
import { bodies, echo, get, post, startDirect } from "./testing/start-direct.ts";

test("a body nobody asks for is read no further than its bound, and whole once somebody does", async () => {
  const asked = Promise.withResolvers<() => void>();
  await using server = await startDirect((request, response) => asked.resolve(() => echo(request, response)));
  using client = server.open();
  const body = "x".repeat(20_000_000);
  client.socket.write(post("/late", body));
  const ask = await asked.promise;
  await pause(100);
  assert.ok(client.socket.writableLength > 1_000_000, "the rest of it waits at the client");
  ask();
  assert.deepEqual(bodies(await client.until(/\.$/)), ["/late 20000000."]);
});

test("a body that is refused is dropped, and the connection goes on", async () => {
  await using server = await startDirect((request, response) => {
    if (request.method === "POST") response.end("no.");
    else echo(request, response);
  });
  using client = server.open();
  client.socket.write(post("/x", "x".repeat(500_000)) + get("/next"));
  assert.deepEqual(bodies(await client.until(/\/next 0\.$/)), ["no.", "/next 0."]);
});

test("a client that waits to be told to go on is told when its body is wanted, and only then", async () => {
  await using server = await startDirect((request, response) => {
    if (request.url === "/refused") response.end("no.");
    else echo(request, response);
  });
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n`;
  for (const path of ["/direct", "/node"]) {
    using client = server.open();
    client.socket.write(head(path));
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.socket.write("ab");
    await client.until(/ 2\.?$/);
  }
  using refused = server.open();
  refused.socket.write(head("/refused"));
  const seen = await refused.closed();
  assert.match(seen, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n\r\nno\.$/);
  // One that does not wait: its body is here, and it is not told.
  using hasty = server.open();
  hasty.socket.write(`${head("/direct")}ab${get("/next")}`);
  assert.deepEqual(bodies(await hasty.until(/\/next 0\.$/)).at(-1), "/next 0.");
});

test("more headers than the parser tells of at once, and headers behind a body, change nothing", async () => {
  let headers: string[] = [];
  await using server = await startDirect((request, response) => {
    headers = request.rawHeaders;
    echo(request, response);
  });
  using client = server.open();
  const many = Array.from({ length: 100 }, (_, at) => `X-${at}: ${at}\r\n`).join("");
  client.socket.write(
    `POST /many?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${many}\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Behind: 1\r\n\r\n${get("/next")}`,
  );
  assert.deepEqual(bodies(await client.until(/\/next 0\.$/)), ["/many?q 5.", "/next 0."]);
  assert.equal(headers.length, 2);
  client.socket.write(`GET /h HTTP/1.1\r\nHost: a\r\n${many}\r\n`);
  await client.until(/\/h 0\.$/);
  assert.equal(headers.length, 202);
});

test("headers are read as Node reads them", async () => {
  const lines = ["A: 1", "a: 2", "Cookie: x=1", "cookie: y=2", "Set-Cookie: s", "__proto__: p", "Host: b"];
  const read: unknown[] = [];
  await using server = await startDirect(
    (request, response) => {
      read.push({ ...request.headers });
      assert.equal(request.header("a"), "1, 2");
      assert.equal(request.header("b"), undefined);
      response.end("direct.");
    },
    {
      fallback: (request, response) => {
        read.push({ ...request.headers });
        response.end("node.");
      },
    },
  );
  using client = server.open();
  for (const path of ["/x", "/node"])
    client.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  await client.until(/node\.$/);
  assert.deepEqual(read[0], read[1]);
});

test("a client that leaves in the middle of its body is told of, one that leaves before the answer harms nobody", async () => {
  const broken = Promise.withResolvers<unknown>();
  const waiting = Promise.withResolvers<DirectResponse>();
  await using server = await startDirect((request, response) => {
    if (request.url === "/broken") request.receive(() => {}, broken.resolve);
    else {
      request.resume();
      waiting.resolve(response);
    }
  });
  const client = server.open();
  client.socket.write("POST /broken HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  await pause(50);
  client.socket.destroy();
  assert.ok((await broken.promise) instanceof Error);
  const other = server.open();
  other.socket.write(get("/waits") + get("/never"));
  const response = await waiting.promise;
  other.socket.destroy();
  await pause(50);
  assert.equal(response.finished, false);
  response.end("nobody hears this");
  response.end("nor this");
  assert.equal(response.finished, true);
});

test("a client that is gone before its body is wanted is told of then, and holds nothing", async () => {
  const room = createBodyRoom(1_000_000);
  const readBody = createBodyReader({ bytesMax: 500_000, room });
  const ended: string[] = [];
  await using server = await startDirect((request) => {
    // As where a token has to be looked up first.
    setTimeout(() => {
      readBody(
        request,
        (body) => ended.push(`read ${body.length}`),
        ({ code }) => ended.push(code),
      );
    }, 100);
  });
  for (const length of [900, 600]) {
    const client = server.open();
    client.socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(300)}`);
    await pause(20);
    client.socket.write("x".repeat(300));
    await pause(20);
    client.socket.destroy();
  }
  await pause(200);
  assert.deepEqual(ended, ["CS_VALIDATION_FAILED", "CS_VALIDATION_FAILED"]);
  assert.equal(room.held, 0);
});
