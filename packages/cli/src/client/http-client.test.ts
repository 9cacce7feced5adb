import test from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { sendJson, startSpecServer } from "../testing/spec-server.ts";
import { CliError } from "./cli-error.ts";
import { createHttpClient } from "./http-client.ts";

async function failureOf(work: Promise<unknown>): Promise<CliError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CliError, `expected a CliError, got ${String(error)}`);
  return error;
}

/** @returns a port of loopback on which nobody listens */
async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("the token goes out as a bearer token and the body as JSON", async () => {
  await using server = await startSpecServer();
  const http = createHttpClient({ apiUrl: server.url, token: "secret" });
  await http.sendJson({ method: "POST", path: "/v1/tokens", json: { sub: "ü" } });
  const [request] = server.seen;
  assert.equal(request?.headers["authorization"], "Bearer secret");
  assert.equal(request?.headers["content-type"], "application/json");
  assert.equal(request?.body, '{"sub":"ü"}');
});

test("a query's undefined fields are left out, the others encoded", async () => {
  await using server = await startSpecServer();
  const http = createHttpClient({ apiUrl: `${server.url}/` });
  const query = { status: "error", since: 5, cursor: undefined, name: "a&b" };
  await http.sendJson({ method: "GET", path: "/v1/tenants/t_default/activations", query });
  assert.deepEqual(
    [...(server.seen[0]?.query ?? [])],
    [
      ["status", "error"],
      ["since", "5"],
      ["name", "a&b"],
    ],
  );
});

test("a GET waits for a server that is just starting, other methods do not", async () => {
  const port = await freePort();
  const http = createHttpClient({ apiUrl: `http://127.0.0.1:${port}` });
  const refused = await failureOf(http.sendJson({ method: "POST", path: "/", json: {} }));
  assert.equal(refused.exitCode, 2);
  assert.match(refused.message, /nobody listens there/);
  assert.match(refused.hint ?? "", /cs dev/);

  const answer = http.sendJson({ method: "GET", path: "/" });
  const server = createServer((_request, response) => sendJson(response, 200, { late: true }));
  // Before the last retry is due, and after the first try.
  await sleep(20);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  try {
    assert.deepEqual(await answer, { late: true });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("an answer that never comes ends with the client's timeout and exit code 2", async () => {
  await using server = await startSpecServer();
  server.answerOnce("GET", "/slow", () => undefined);
  const http = createHttpClient({ apiUrl: server.url, timeoutMs: 50 });
  const error = await failureOf(http.sendJson({ method: "GET", path: "/slow" }));
  assert.equal(error.exitCode, 2);
  assert.match(error.message, /did not answer within 50 ms/);
});

test("a server that is none of ours is told by its status and text", async () => {
  await using server = await startSpecServer();
  server.answerOnce("GET", "/", (response) => response.writeHead(502).end("<h1>Bad Gateway</h1>"));
  const http = createHttpClient({ apiUrl: server.url });
  const error = await failureOf(http.sendJson({ method: "GET", path: "/" }));
  assert.equal(error.exitCode, 2);
  assert.match(error.message, /GET \/ answered 502/);
  assert.equal(error.hint, "<h1>Bad Gateway</h1>");
  server.answerOnce("GET", "/", (response) => response.end("welcome"));
  const noJson = await failureOf(http.sendJson({ method: "GET", path: "/" }));
  assert.match(noJson.message, /without JSON/);
});

test("an address that is no http address is refused before anything is sent", async () => {
  for (const apiUrl of ["localhost:8080", "ftp://example.com", "no"]) {
    const error = await failureOf(createHttpClient({ apiUrl }).send({ method: "GET", path: "/" }));
    assert.equal(error.exitCode, 1);
    assert.match(error.message, /not an http or https address/);
  }
});

test("a stream can be given up by its signal", async () => {
  await using server = await startSpecServer();
  server.answerOnce("GET", "/stream", (response) => void response.writeHead(200).write("first"));
  const stop = new AbortController();
  const http = createHttpClient({ apiUrl: server.url });
  const stream = await http.open({ method: "GET", path: "/stream", timeoutMs: 0, signal: stop.signal });
  await assert.rejects(async () => {
    for await (const part of stream) {
      assert.equal(String(part), "first");
      stop.abort();
    }
  }, /aborted/);
});
