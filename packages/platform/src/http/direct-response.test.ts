import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { createFrontServer } from "./front-server.ts";

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
