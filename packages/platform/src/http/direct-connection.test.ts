import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { DirectResponse } from "./direct-response.ts";
import { sendError } from "./error-reply.ts";
import { createBodyReader, createBodyRoom } from "./read-body.ts";
import { bodies, echo, get, post, startDirect } from "./testing/start-direct.ts";

test("what is sent ahead of an answer begins when that is out, and is answered in order", async () => {
  let open = 0;
  let most = 0;
  await using server = await startDirect((request, response) => {
    most = Math.max(most, ++open);
    echo(request, {
      end: (text: string) => {
        open--;
        response.end(text);
      },
    } as DirectResponse);
  });
  using client = server.open();
  const sent = [post("/a30", "x"), get("/b10"), get("/node/c"), post("/d20", "yyy"), get("/e"), get("/f")];
  client.socket.write(sent.join(""));
  assert.deepEqual(bodies(await client.until(/\/f 0\.$/)), [
    "/a30 1.",
    "/b10 0.",
    "node /node/c 0",
    "/d20 3.",
    "/e 0.",
    "/f 0.",
  ]);
  assert.equal(most, 1);
  client.socket.write(get("/again"));
  await client.until(/\/again 0\.$/);
});

test("a body in pieces behind an open request is whole when its turn comes", async () => {
  await using server = await startDirect(echo);
  using client = server.open();
  client.socket.write(get("/slow50"));
  client.socket.write("POST /node/x HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
  for (let at = 0; at < 3; at++) client.socket.write("x".repeat(100_000));
  client.socket.write(
    "POST /last HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + "y".repeat(300_000),
  );
  const [, second, third] = bodies(await client.until(/\/last \d+\.$/));
  assert.deepEqual([second, third], ["node /node/x 300000", "/last 300000."]);
});

test("thousands of answers at once to requests sent ahead need no deep stack", async () => {
  await using server = await startDirect((request, response) => {
    if (request.url === "/first") setTimeout(() => response.end("first."), 50);
    else response.end(".");
  });
  using client = server.open();
  client.socket.write(get("/first") + get("/").repeat(2000) + get("/node/last"));
  const seen = await client.until(/\/last 0$/);
  assert.equal(bodies(seen).length, 2002);
});

test("of what is sent ahead no more is read than its bound, also while answers drain", async () => {
  const one = get("/");
  let begun = 0;
  let arrived: Socket | undefined;
  // A read brings 2,400 of them at most, and one more may come with each answer that drains.
  const most = 10_000;
  await using server = await startDirect((_request, response) => {
    begun++;
    if (begun > 1) setImmediate(() => response.end("x".repeat(100_000)));
    else setTimeout(() => response.end("first."), 300);
  });
  server.front.server.on("connection", (socket) => (arrived = socket));
  using client = server.open();
  client.socket.removeAllListeners("data");
  client.socket.resume();
  client.socket.write(one.repeat(400_000));
  while (begun < 300) {
    await pause(10);
    const waiting = (arrived?.bytesRead ?? 0) / one.length - begun;
    assert.ok(waiting < most, `${waiting} wait after ${begun}`);
  }
});

test("bodies sent ahead together hold no more than their bound", async () => {
  let arrived: Socket | undefined;
  const waiting = Promise.withResolvers<DirectResponse>();
  await using server = await startDirect((request, response) => {
    if (request.url === "/first") waiting.resolve(response);
    else echo(request, response);
  });
  server.front.server.on("connection", (socket) => (arrived = socket));
  using client = server.open();
  const size = 60_000;
  client.socket.write(get("/first"));
  for (let at = 0; at < 20; at++) {
    client.socket.write(post(`/b${at}`, "x".repeat(size)));
    await pause(5);
  }
  client.socket.write(get("/last"));
  const response = await waiting.promise;
  await pause(200);
  assert.ok((arrived?.bytesRead ?? 0) < 6 * size, `${arrived?.bytesRead} bytes were read`);
  response.end("first.");
  const answers = bodies(await client.until(/\/last 0\.$/));
  assert.deepEqual(
    answers.slice(1, -1),
    Array.from({ length: 20 }, (_, at) => `/b${at} ${size}.`),
  );
});

test("behind an answer that ends the connection nothing is begun", async () => {
  const begun: string[] = [];
  await using server = await startDirect((request, response) => {
    begun.push(request.url);
    if (request.url === "/leaving") server.front.announceClose();
    response.end("answer.");
  });
  using refused = server.open();
  refused.socket.write(
    "POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n" +
      `ab${get("/b")}`,
  );
  assert.match(await refused.closed(), /Connection: close\r\n\r\nanswer\.$/);
  using leaving = server.open();
  leaving.socket.write(get("/leaving") + get("/b") + get("/node/b"));
  assert.match(await leaving.closed(), /Connection: close\r\n\r\nanswer\.$/);
  assert.deepEqual(begun, ["/refused", "/leaving"]);
});

test("many requests sent ahead, with answers that drain, are all answered", async () => {
  await using server = await startDirect((request, response) => {
    response.end(request.url === "/last" ? "last." : "x".repeat(100_000));
  });
  using client = server.open();
  let bytes = 0;
  let tail = "";
  client.socket.removeAllListeners("data");
  const { promise, resolve } = Promise.withResolvers<void>();
  client.socket.on("data", (part: string) => {
    bytes += part.length;
    tail = (tail + part).slice(-5);
    if (tail === "last.") resolve();
  });
  client.socket.write(get("/").repeat(6000) + get("/last"));
  await promise;
  assert.ok(bytes > 600_000_000);
});

test("a wish to change the protocol is passed over, and its request the last; CONNECT ends the connection", async () => {
  const begun: string[] = [];
  await using server = await startDirect(
    (request, response) => {
      begun.push(request.url);
      echo(request, response);
    },
    { headersTimeoutMs: 200 },
  );
  const upgrade =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  const withUpgrade = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`;
  for (const path of ["/direct", "/node"]) {
    using posted = server.open();
    posted.socket.write(post(path, "abc", upgrade));
    assert.match(await posted.closed(), /Connection: close\r\n[^]* 3\.?$/);
    using asked = server.open();
    asked.socket.write(withUpgrade(path) + get("/behind"));
    assert.match(await asked.closed(), /Connection: close\r\n[^]* 0\.?$/);
    // One that waits for its turn.
    using ahead = server.open();
    ahead.socket.write(get("/slow30") + withUpgrade(path));
    assert.match(await ahead.closed(), /\/slow30 0\.HTTP[^]*Connection: close\r\n[^]* 0\.?$/);
  }
  // What the parser skips behind one must not let a body be taken for a request.
  using split = server.open();
  split.socket.write(`POST /a50 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n${upgrade}\r\n`);
  await pause(20);
  split.socket.write("abcdPOST /victim HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n");
  await pause(20);
  split.socket.write(get("/smuggled").padEnd(40));
  assert.deepEqual(bodies(await split.closed()), ["/a50 4."]);
  assert.ok(!begun.some((url) => /behind|victim|smuggled/.test(url)));
  // Nor may what comes behind it, or the time that takes, stand in for its answer.
  for (const path of ["/c1500", "/node/c"]) {
    using last = server.open();
    last.socket.write(withUpgrade(path));
    await pause(20);
    last.socket.write("X");
    assert.match(await last.closed(), /^HTTP\/1\.1 200 [^]* 0\.?$/);
  }
  using client = server.open();
  client.socket.write("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
  assert.equal(await client.closed(), "");
});

test("whoever is told that his request is not HTTP, or too slow, is gone soon, and what he sent does not run", async () => {
  const ended: string[] = [];
  const room = createBodyRoom(1_000_000);
  const readBody = createBodyReader({ bytesMax: 500_000, room });
  await using server = await startDirect(
    (request, response) =>
      readBody(
        request,
        () => ended.push("ran"),
        (error) => {
          ended.push(error.code);
          sendError(response, error, "req_12345678");
        },
      ),
    {
      headersTimeoutMs: 200,
      requestTimeoutMs: 200,
      fallback: (_request, response) => void setTimeout(() => response.end("x".repeat(20_000_000)), 100),
    },
  );
  const half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
  using slow = server.open({ allowHalfOpen: true });
  slow.socket.write(half);
  assert.match(await slow.until(/\}$/), /^HTTP\/1\.1 408 [^]*\r\n\r\n\{[^{]*\{[^}]*\}\}$/);
  const toldMs = performance.now();
  slow.socket.write("defghi");
  const connections = (): Promise<number> =>
    new Promise((resolve) => server.front.server.getConnections((_error, count) => resolve(count)));
  while ((await connections()) > 0) await pause(50);
  const leftMs = performance.now() - toldMs;
  assert.ok(leftMs > 500, `hung up ${leftMs} ms after it was told`);
  using broken = server.open();
  broken.socket.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nZ\r\n");
  assert.match(await broken.until(/\}$/), /^HTTP\/1\.1 400 /);
  // A large answer of Node's is on its way when what follows turns out to be none.
  using handed = server.open();
  handed.socket.write(`${get("/node")}${get("/b")}X\r\n\r\n`);
  handed.socket.pause();
  await broken.closed();
  assert.deepEqual(ended, ["CS_VALIDATION_FAILED", "CS_VALIDATION_FAILED"]);
  assert.equal(room.held, 0);
  while ((await connections()) > 0) await pause(50);
});

test("an idle connection ends after its time, one with work does not, whoever does it", async () => {
  await using server = await startDirect(echo, {
    keepAliveTimeoutMs: 100,
    fallback: (_request, response) => void setTimeout(() => response.end("node."), 1500),
  });
  using idle = server.open();
  using busy = server.open();
  using handed = server.open();
  idle.socket.write(get("/idle"));
  busy.socket.write(get("/first") + get("/slow1500"));
  handed.socket.write(get("/first") + get("/node"));
  const startMs = performance.now();
  await idle.closed();
  const idleMs = performance.now() - startMs;
  assert.ok(idleMs > 900, `closed after ${idleMs} ms`);
  await Promise.all([busy.until(/\/slow1500 0\.$/), handed.until(/node\.$/)]);
  await Promise.all([busy.closed(), handed.closed()]);
});

test("a server that closes lets a direct answer out first, and ends idle connections", async () => {
  const running = Promise.withResolvers<DirectResponse>();
  const begun: string[] = [];
  await using server = await startDirect((request, response) => {
    begun.push(request.url);
    request.resume();
    if (request.url === "/running") running.resolve(response);
    else response.end("idle.");
  });
  using idle = server.open();
  using client = server.open();
  idle.socket.write(get("/idle"));
  await idle.until(/idle\.$/);
  client.socket.write(get("/running") + get("/ahead"));
  const response = await running.promise;
  const closed = server.front.close(10_000);
  await idle.closed();
  await pause(100);
  response.end("done.");
  const seen = await client.closed();
  // What was sent ahead is not begun: nobody would hear its answer.
  assert.match(seen, /Connection: close\r\n\r\ndone\.$/);
  assert.deepEqual(begun, ["/idle", "/running"]);
  await closed;
});
