import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import { createFrontServer, type FrontServerOptions } from "./front-server.ts";

async function start(options: Partial<FrontServerOptions> = {}) {
  const front = createFrontServer({
    routes: [],
    fallback: (_request, response) => void response.end("fallback"),
    ...options,
  });
  const { port, url } = await front.listen({ host: "127.0.0.1", port: 0 });
  return {
    front,
    url,
    async raw(text: string): Promise<string> {
      const socket = connect(port, "127.0.0.1");
      let answer = "";
      socket.setEncoding("latin1").on("data", (part: string) => (answer += part));
      socket.on("error", () => {});
      socket.write(text);
      await once(socket, "close");
      return answer;
    },
    [Symbol.asyncDispose]: () => front.close(0),
  };
}

const envelopeOf = (answer: string) =>
  (
    JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as {
      error: { code: string; message: string; request_id: string };
    }
  ).error;

test("the first raw route that takes a request has it, the fallback has the rest", async () => {
  await using server = await start({
    routes: [
      (request, response) => request.url === "/a" && (response.end("first"), true),
      (request, response) => request.url.startsWith("/a") && (response.end("second"), true),
    ],
  });
  const get = async (path: string) => (await fetch(server.url + path)).text();
  assert.deepEqual([await get("/a"), await get("/ab"), await get("/b")], ["first", "second", "fallback"]);
});

test("two Host headers are refused, one is not", async () => {
  await using server = await start();
  const answer = await server.raw("GET / HTTP/1.1\r\nHost: a\r\nhOst: b\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.equal(envelopeOf(answer).code, "CS_VALIDATION_FAILED");
  assert.match(await server.raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), /fallback$/);
});

test("no Host header, and an Expect nobody can meet, are refused with an envelope", async () => {
  await using server = await start();
  const none = await server.raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  assert.match(none, /^HTTP\/1\.1 400 /);
  assert.equal(envelopeOf(none).message, "the request has no Host header");
  const odd = await server.raw(
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
  );
  assert.match(odd, /^HTTP\/1\.1 400 /);
  assert.match(envelopeOf(odd).message, /100-continue/);
  assert.match(await server.raw("GET / HTTP/1.0\r\n\r\n"), /fallback$/);
});

test("a target of the absolute form is its path, and must name the host that Host names", async () => {
  const fallback = (request: { url?: string | undefined }, response: ServerResponse) =>
    void response.end(`path ${request.url}`);
  await using server = await start({ fallback });
  const ask = (target: string, host: string) =>
    server.raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  assert.match(await ask("http://a.test:80/x/%2F?y=1", "A.test:80"), /path \/x\/%2F\?y=1$/);
  assert.match(await ask("http://a.test?y", "a.test"), /path \/\?y$/);
  for (const target of ["http://evil.test/x", "ftp://a.test/x", "a.test/x"]) {
    assert.match(await ask(target, "a.test"), /^HTTP\/1\.1 400 /, target);
  }
});

test("what the guard returns is the answer, with the request's own id", async () => {
  await using server = await start({
    guard: ({ headers }) =>
      headers["x-from"] === "afar" ? new PlatformError("CS_AUTHZ_DENIED", "not from there") : undefined,
  });
  const answer = await fetch(server.url, {
    headers: { "x-request-id": "my-request-1", "x-from": "afar" },
  });
  assert.equal(answer.status, 403);
  assert.equal(answer.headers.get("x-request-id"), "my-request-1");
  assert.equal(((await answer.json()) as { error: { request_id: string } }).error.request_id, "my-request-1");
  assert.equal((await fetch(server.url)).status, 200);
});

test("garbage gets 400, headers too large 431, each with an envelope and an id", async () => {
  await using server = await start();
  const garbage = await server.raw("HELLO\r\n\r\n");
  assert.match(garbage, /^HTTP\/1\.1 400 Bad Request/);
  assert.match(envelopeOf(garbage).request_id, /^req_/);
  const large = await server.raw(`GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${"x".repeat(110_000)}\r\n\r\n`);
  assert.match(large, /^HTTP\/1\.1 431 /);
  assert.equal(envelopeOf(large).code, "CS_HEADERS_TOO_LARGE");
  const smuggled = await server.raw(
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
  );
  assert.match(smuggled, /HTTP\/1\.1 400 /);
});

test("headers and a query of the allowed sizes together pass the parser", async () => {
  await using server = await start();
  const answer = await server.raw(
    `GET /?${"q".repeat(16_384)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Large: ${"x".repeat(65_000)}\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
});

test("a client that dawdles over its headers gets 408", async () => {
  await using server = await start({ headersTimeoutMs: 200, requestTimeoutMs: 200 });
  const answer = await server.raw("GET / HTTP/1.1\r\nHost: a\r\n");
  assert.match(answer, /^HTTP\/1\.1 408 /);
  assert.equal(envelopeOf(answer).code, "CS_VALIDATION_FAILED");
});

test("a route that throws becomes an internal error without telling why", async () => {
  const faults: unknown[] = [];
  await using server = await start({
    routes: [
      () => {
        throw new TypeError("secret of the house");
      },
    ],
    onFault: (error) => faults.push(error),
  });
  const answer = await fetch(server.url);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /secret/);
  assert.equal((faults[0] as Error).message, "secret of the house");
});

test("close lets a running request end and refuses new ones", async () => {
  const running = Promise.withResolvers<ServerResponse>();
  await using server = await start({ fallback: (_request, response) => running.resolve(response) });
  const answer = fetch(server.url);
  const response = await running.promise;
  const closed = server.front.close(10_000);
  await assert.rejects(fetch(server.url));
  response.end("done");
  assert.equal(await (await answer).text(), "done");
  await closed;
});

test("close cuts what does not end within the grace", async () => {
  const running = Promise.withResolvers<void>();
  await using server = await start({ fallback: () => running.resolve() });
  const answer = assert.rejects(fetch(server.url));
  await running.promise;
  await server.front.close(50);
  await answer;
});
