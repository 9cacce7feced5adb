import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { DirectResponse } from "./direct-response.ts";
import { createFrontServer } from "./front-server.ts";
import { bodies, echo, get, startDirect } from "./testing/start-direct.ts";

const HEADERS = ["content-type", "text/plain", "content-length", "5", "x-request-id", "req_12345678"];
const OBJECT = { "content-type": "text/plain", "content-length": 5, "x-request-id": "req_12345678" };

/** A server that answers `/clean` with `writeCleanHead`, `/direct` with `writeHead`, and anything else by Node. */
async function startServer() {
  const server = createFrontServer({
    routes: [
      (request, response) => {
        if (request.header("x-leaving") !== undefined) server.announceClose();
        if (request.url === "/clean") response.writeCleanHead(202, HEADERS);
        else if (request.url === "/direct") response.writeHead(202, OBJECT);
        else return false;
        assert.equal(response.headersSent, true);
        request.resume();
        response.end("hello");
        return true;
      },
    ],
    fallback(request, response) {
      request.resume();
      response.writeHead(202, HEADERS);
      response.end("hello");
    },
  });
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  return {
    /** Sends text, and reads until there are `answers` of them or the server hangs up. */
    async send(text: string, answers = 1): Promise<string> {
      const socket = connect(port, "127.0.0.1");
      let seen = "";
      socket.write(text);
      for await (const chunk of socket) {
        seen += String(chunk);
        if (seen.split("hello").length > answers && !/connection: close/i.test(seen)) break;
      }
      socket.destroy();
      return seen.replaceAll(/Date: [^\r]+/g, "Date: now");
    },
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

const REQUESTS = {
  "one on a connection that stays": (path: string) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}`,
  "one that wants the connection closed": (path: string) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
  "one of HTTP/1.0": (path: string) => `POST ${path} HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}`,
  "one of HTTP/1.0 that wants it kept": (path: string) =>
    `POST ${path} HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n{}`,
  "one to a server that is leaving": (path: string) =>
    `POST ${path} HTTP/1.1\r\nhost: a\r\nx-leaving: 1\r\ncontent-length: 2\r\n\r\n{}`,
};

for (const [what, request] of Object.entries(REQUESTS)) {
  test(`a direct answer is the very answer Node writes: ${what}`, async () => {
    await using server = await startServer();
    const clean = await server.send(request("/clean"));
    assert.match(clean, /^HTTP\/1\.1 202 Accepted\r\n/);
    assert.equal(clean, await server.send(request("/node")));
    assert.equal(clean, await server.send(request("/direct")));
  });
}

test("requests that come at once on one connection are answered in order, whoever answers", async () => {
  await using server = await startServer();
  const request = (path: string): string => REQUESTS["one on a connection that stays"](path);
  const mixed = ["/clean", "/node", "/direct", "/node", "/node", "/clean", "/clean"].map(request).join("");
  const seen = await server.send(mixed, 7);
  assert.equal(seen, (await server.send(request("/clean"))).repeat(7));
});

test("answers without a body have none, and others the length of theirs", async () => {
  await using server = await startDirect((request, response) => {
    const status = Number(request.url.slice(1));
    response.writeHead(status, { "x-name": "Zoë", "x-two": ["1", "2"] });
    response.end(status === 200 ? "héllo€" : "");
  });
  using client = server.open();
  for (const request of [get("/204"), get("/304"), get("/201"), "HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n"])
    client.socket.write(request);
  client.socket.write(get("/200"));
  const seen = await client.until(/\u00e2\u0082\u00ac$/);
  const [none, notModified, empty, head, full] = seen.split(/(?<=\r\n\r\n)(?=HTTP)/);
  assert.doesNotMatch(`${none}${notModified}`, /content-length/i);
  assert.match(empty ?? "", /Content-Length: 0\r\n/);
  assert.match(head ?? "", /Content-Length: 9\r\n[^]*\r\n\r\n$/);
  // The head is Latin-1, the body UTF-8.
  assert.match(full ?? "", /x-name: Zo\u00eb\r\nx-two: 1\r\nx-two: 2\r\n/);
  assert.equal(Buffer.from(full?.split("\r\n\r\n")[1] ?? "", "latin1").toString("utf8"), "héllo€");
});

test("what would split an answer is refused", async () => {
  const thrown: unknown[] = [];
  await using server = await startDirect((_request, response) => {
    for (const headers of [{ "x-a": "1\r\nx-b: 2" }, { "x a": "1" }, { "x-a": ["ok", "€"] }]) {
      try {
        response.writeHead(200, headers);
      } catch (error) {
        thrown.push((error as NodeJS.ErrnoException).code);
      }
    }
    assert.equal(response.headersSent, false);
    response.end("safe.");
  });
  using client = server.open();
  client.socket.write(get("/"));
  assert.doesNotMatch(await client.until(/safe\.$/), /x-/);
  assert.deepEqual(thrown, ["ERR_INVALID_CHAR", "ERR_INVALID_HTTP_TOKEN", "ERR_INVALID_CHAR"]);
});

test("a response that is out leaves the connection to the next, and has one head", async () => {
  let first: DirectResponse | undefined;
  await using server = await startDirect((request, response) => {
    if (request.url === "/first") {
      first = response;
      assert.throws(() => response.writeHead(200, { "content-length": 3, "x-bad": "a\r\nb" }));
      response.writeHead(200, {});
      assert.throws(() => response.writeHead(500, {}), /head already/);
      response.end("first.");
    } else {
      first?.destroy();
      echo(request, response);
    }
  });
  using client = server.open();
  client.socket.write(get("/first"));
  assert.match(await client.until(/first\.$/), /Content-Length: 6\r\n/);
  client.socket.write(get("/second20"));
  assert.deepEqual(bodies(await client.until(/\/second20 0\.$/)), ["first.", "/second20 0."]);
});

test("a client that never reads its answer is cut off after the idle time", async () => {
  await using server = await startDirect((_request, response) => response.end("x".repeat(20_000_000)), {
    keepAliveTimeoutMs: 100,
  });
  using client = server.open();
  client.socket.pause();
  client.socket.write(get("/"));
  const connections = (): Promise<number> =>
    new Promise((resolve) => server.front.server.getConnections((_error, count) => resolve(count)));
  await pause(100);
  assert.equal(await connections(), 1);
  while ((await connections()) > 0) await pause(50);
});

test("an answer that is not read keeps the connection busy until it is", async () => {
  let begun = 0;
  await using server = await startDirect((_request, response) => {
    begun++;
    response.end("x".repeat(6_000_000));
  });
  using client = server.open();
  client.socket.pause();
  client.socket.write(get("/").repeat(20));
  await pause(300);
  assert.ok(begun < 5, `${begun} of 20 begun, none read`);
  client.socket.resume();
  while (begun < 20) await once(client.socket, "data");
});
