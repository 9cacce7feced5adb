import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { DirectRequest } from "./direct-request.ts";
import type { DirectResponse } from "./direct-response.ts";
import { createFrontServer, type FrontServerOptions } from "./front-server.ts";

interface Client extends Disposable {
  socket: Socket;
  /** Waits until what was received ends the way a pattern says. @returns all of it */
  until(pattern: RegExp): Promise<string>;
  /** @returns what was received when the server has hung up */
  closed(): Promise<string>;
}

type Route = (request: DirectRequest, response: DirectResponse) => void;

/** A server with one route that takes everything but `/node…`, which goes to Node's own. */
async function start(route: Route, options: Partial<FrontServerOptions> = {}) {
  const front = createFrontServer({
    routes: [
      (request, response) => {
        if (request.url.startsWith("/node")) return false;
        route(request, response);
        return true;
      },
    ],
    fallback: (request, response) => answerByNode(request, response),
    ...options,
  });
  const { port } = await front.listen({ host: "127.0.0.1", port: 0 });
  return {
    front,
    open(): Client {
      const socket = connect(port, "127.0.0.1");
      let seen = "";
      socket.setEncoding("latin1").on("data", (part: string) => (seen += part));
      socket.on("error", () => {});
      return {
        socket,
        async until(pattern) {
          while (!pattern.test(seen)) {
            assert.ok(!socket.destroyed, `hung up after ${JSON.stringify(seen.slice(-200))}`);
            await Promise.race([once(socket, "data"), once(socket, "close")]);
          }
          return seen;
        },
        async closed() {
          if (!socket.destroyed) await once(socket, "close");
          return seen;
        },
        [Symbol.dispose]: () => void socket.destroy(),
      };
    },
    [Symbol.asyncDispose]: () => front.close(0),
  };
}

function answerByNode(request: IncomingMessage, response: ServerResponse): void {
  let size = 0;
  request.on("data", (part: Buffer) => (size += part.length));
  request.on("end", () => response.end(`node ${request.url} ${size}`));
}

/** Answers with the path and the size of the body, after as many milliseconds as the path says. */
const echo: Route = (request, response) => {
  let size = 0;
  request.receive(
    (chunk) => {
      if (chunk !== null) size += chunk.length;
      else setTimeout(() => response.end(`${request.url} ${size}.`), Number(/\d+$/.exec(request.url) ?? 0));
    },
    () => {},
  );
};

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const post = (path: string, body: string, headers = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`;
const bodies = (seen: string): string[] => seen.split(/HTTP\/1\.1 [^]*?\r\n\r\n/).slice(1);

test("what is sent ahead of an answer begins when that is out, and is answered in order", async () => {
  let open = 0;
  let most = 0;
  await using server = await start((request, response) => {
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
  await using server = await start(echo);
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
  await using server = await start((request, response) => {
    if (request.url === "/first") setTimeout(() => response.end("first."), 50);
    else response.end(".");
  });
  using client = server.open();
  client.socket.write(get("/first") + get("/").repeat(2000) + get("/node/last"));
  const seen = await client.until(/\/last 0$/);
  assert.equal(bodies(seen).length, 2002);
});

test("who sends ever more without waiting is cut off", async () => {
  await using server = await start(() => {});
  using client = server.open();
  let isRefused = false;
  client.socket.on("close", () => (isRefused = true));
  for (let at = 0; at < 200 && !isRefused; at++) {
    client.socket.write(get("/").repeat(2000));
    await pause(5);
  }
  // Either it is read no further, or its connection has ended.
  assert.ok(isRefused || client.socket.writableLength > 0);
});

test("a body nobody asks for is read no further than its bound, and whole once somebody does", async () => {
  const asked = Promise.withResolvers<() => void>();
  await using server = await start((request, response) => asked.resolve(() => echo(request, response)));
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
  await using server = await start((request, response) => {
    if (request.method === "POST") response.end("no.");
    else echo(request, response);
  });
  using client = server.open();
  client.socket.write(post("/x", "x".repeat(500_000)) + get("/next"));
  assert.deepEqual(bodies(await client.until(/\/next 0\.$/)), ["no.", "/next 0."]);
});

test("a client that waits to be told to go on is told when its body is wanted, and only then", async () => {
  await using server = await start((request, response) => {
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

test("a wish to change the protocol is passed over, CONNECT ends the connection", async () => {
  await using server = await start(echo);
  const upgrade =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  for (const path of ["/direct", "/node"]) {
    using client = server.open();
    client.socket.write(post(path, "abc", upgrade));
    await client.until(/ 3\.?$/);
    client.socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`);
    await client.until(/ 0\.?$/);
    client.socket.write(get("/next"));
    await client.until(/\/next 0\.$/);
  }
  using client = server.open();
  client.socket.write("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
  assert.equal(await client.closed(), "");
});

test("more headers than the parser tells of at once, and headers behind a body, change nothing", async () => {
  let headers: string[] = [];
  await using server = await start((request, response) => {
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
  await using server = await start(
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

test("answers without a body have none, and others the length of theirs", async () => {
  await using server = await start((request, response) => {
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
  await using server = await start((_request, response) => {
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

test("a client that leaves in the middle of its body is told of, one that leaves before the answer harms nobody", async () => {
  const broken = Promise.withResolvers<unknown>();
  const waiting = Promise.withResolvers<DirectResponse>();
  await using server = await start((request, response) => {
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
  assert.match(String(await broken.promise), /closed/);
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

test("an idle connection ends after its time, one with work does not, whoever does it", async () => {
  await using server = await start(echo, {
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

test("an answer that is not read keeps the connection busy until it is", async () => {
  let begun = 0;
  await using server = await start((_request, response) => {
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

test("a server that closes lets a direct answer out first, and ends idle connections", async () => {
  const running = Promise.withResolvers<DirectResponse>();
  await using server = await start((request, response) => {
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
  await closed;
});
