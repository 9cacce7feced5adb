import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { DirectResponse } from "./direct-response.ts";

const HEADERS = ["content-type", "text/plain", "content-length", "5", "x-request-id", "req_12345678"];

/** A server that answers `/clean` with `writeCleanHead` and anything else with `writeHead`. */
async function startServer() {
  const server = createServer(
    { ServerResponse: DirectResponse, keepAliveTimeout: 65_000 },
    (request, response) => {
      request.resume();
      if (request.headers["x-leaving"] !== undefined) response.setHeader("connection", "close");
      if (request.url === "/clean") response.writeCleanHead(202, HEADERS);
      else response.writeHead(202, HEADERS);
      assert.equal(response.headersSent, true);
      response.end("hello");
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
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
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
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
  test(`a clean head is the very head Node writes: ${what}`, async () => {
    await using server = await startServer();
    const clean = await server.send(request("/clean"));
    assert.match(clean, /^HTTP\/1\.1 202 Accepted\r\n/);
    assert.equal(clean, await server.send(request("/node")));
  });
}

test("requests that come at once on one connection are answered in order", async () => {
  await using server = await startServer();
  const request = (path: string): string => REQUESTS["one on a connection that stays"](path);
  const mixed = request("/clean") + request("/node") + request("/clean");
  const seen = await server.send(mixed, 3);
  assert.equal(seen, (await server.send(request("/clean"))).repeat(3));
});
