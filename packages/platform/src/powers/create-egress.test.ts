import assert from "node:assert/strict";
import test from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { PlatformError } from "@sous/contract";
import { createEgress, type EgressRequest } from "./create-egress.ts";
import {
  answering,
  call,
  failingWith,
  local,
  PATIENT_MS,
  refusedWith,
  resolvingTo,
  slowlyFailing,
} from "./egress-call.fixture.ts";
import { HOSTILE_ANSWERS, HOSTILE_URLS } from "./hostile-urls.fixture.ts";
import { startLocalServer } from "./local-server.fixture.ts";

test("no hostile URL reaches a server on loopback, though its host is on the allow-list", async (t) => {
  await using canary = await answering("canary");
  const asked: string[] = [];
  const egress = createEgress({
    ports: [80, 443, canary.port],
    resolve: async (hostname) => {
      asked.push(hostname);
      return (HOSTILE_ANSWERS[hostname] ?? []).map((address) => ({ address, family: 4 }));
    },
  });
  assert.ok(HOSTILE_URLS.length >= 90, `${HOSTILE_URLS.length} URLs`);
  for (const pattern of HOSTILE_URLS) {
    const url = pattern.replaceAll("PORT", String(canary.port));
    await t.test(JSON.stringify(pattern), async () => {
      const hostname = URL.parse(url)?.hostname ?? "";
      const policy = {
        tenant: "t_default",
        depth: 1,
        grants: { allow_hosts: [hostname] },
        onBytes: () => undefined,
      };
      const request: EgressRequest = {
        url,
        method: "GET",
        headers: [],
        body: undefined,
        redirect: "follow",
        timeoutMs: PATIENT_MS,
      };
      await assert.rejects(egress.fetch(request, policy), (error: unknown) => {
        assert.ok(error instanceof PlatformError, String(error));
        // Anything else would mean that it was sent and only failed.
        const reasons = ["CS_RUNTIME_CAPABILITY_DENIED", "CS_VALIDATION_FAILED"];
        if (hostname.startsWith("empty.") || hostname.startsWith("good."))
          reasons.push("CS_RUNTIME_EGRESS_FAILED");
        assert.ok(reasons.includes(error.code), `${error.code}: ${error.message}`);
        return true;
      });
    });
  }
  await egress[Symbol.asyncDispose]();
  assert.equal(canary.connections(), 0);
  assert.ok(
    asked.every((hostname) => hostname.endsWith(".rebind.test")),
    asked.join(),
  );
  assert.ok(asked.length >= 12);
});

test("the same loopback server is reached once the operator opens its address", async () => {
  await using server = await answering("hello");
  for (const host of ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "127.0.0.1."]) {
    const answer = await call(local, `http://${host}:${server.port}/a?b=c#d`);
    assert.equal(answer.text, "hello");
    assert.equal(answer.status, 200);
  }
  assert.deepEqual(new Set(server.requests), new Set(["GET /a?b=c"]));
});

test("a name is reached through the addresses that were checked", async () => {
  await using server = await answering("hello");
  const resolve = resolvingTo("127.0.0.1");
  const answer = await call({ ...local, resolve }, `http://api.example.com:${server.port}/`);
  assert.equal(answer.text, "hello");
});

test("a host that is not on the list is refused before anything is resolved", async () => {
  const resolve = failingWith("ERESOLVED");
  for (const url of ["https://example.org/", "https://api.example.com.evil.org/", "https://example.com/"]) {
    await assert.rejects(
      call({ resolve }, url, {}, ["api.example.com", "*.example.com"]),
      refusedWith("CS_RUNTIME_CAPABILITY_DENIED", /allowHosts in manifest\.json/),
    );
  }
});

test("a name that turns to another address after it was checked does not take us along", async () => {
  await using canary = await answering("canary");
  await using server = await startLocalServer(
    (_request, response) => {
      response.setHeader("connection", "close").end("hello");
    },
    "127.0.0.2",
    canary.port,
  );
  const answers = ["127.0.0.2", "127.0.0.1", "127.0.0.1"];
  const asked: string[] = [];
  await using egress = createEgress({
    privateAllow: ["127.0.0.2/32"],
    resolve: async (hostname) => {
      asked.push(hostname);
      return [{ address: answers[asked.length - 1] ?? "", family: 4 }];
    },
  });
  const fetch = () =>
    egress.fetch(
      {
        url: `http://api.example.com:${server.port}/`,
        method: "GET",
        headers: [],
        body: undefined,
        redirect: "follow",
        timeoutMs: PATIENT_MS,
      },
      {
        tenant: "t_default",
        depth: 1,
        grants: { allow_hosts: ["api.example.com"] },
        onBytes: () => undefined,
      },
    );
  assert.equal((await fetch()).body.toString(), "hello");
  assert.equal(asked.length, 1, "one resolution a connection");
  await assert.rejects(fetch(), refusedWith("CS_RUNTIME_CAPABILITY_DENIED", /public Internet/));
  assert.equal(canary.connections(), 0);
});

test("private ranges that are open do not open unusual ports of public addresses", async () => {
  const resolve = resolvingTo("1.1.1.1");
  await assert.rejects(
    call({ ...local, resolve }, "http://api.example.com:22/"),
    refusedWith("CS_RUNTIME_CAPABILITY_DENIED", /port 22/),
  );
});

test("a refusal never tells the address behind a name", async () => {
  const resolve = resolvingTo("10.11.12.13");
  await assert.rejects(call({ resolve }, "http://api.example.com/"), (error: Error) => {
    assert.doesNotMatch(error.message, /10\.11/);
    return true;
  });
});

test("the environment's proxy is never used", async () => {
  await using canary = await answering("canary");
  await using server = await answering("hello");
  const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"];
  for (const name of names) process.env[name] = canary.origin;
  try {
    assert.equal((await call(local, server.origin)).text, "hello");
  } finally {
    for (const name of names) delete process.env[name];
  }
  assert.equal(canary.connections(), 0);
});

test("gzip is undone, other encodings are refused", async () => {
  const bodies: Record<string, Buffer> = {
    gzip: gzipSync("plain"),
    br: brotliCompressSync("plain"),
    deflate: deflateSync("plain"),
    "gzip, br": gzipSync("plain"),
  };
  await using server = await startLocalServer((request, response) => {
    const encoding = decodeURIComponent(request.url?.slice(1) ?? "");
    response.setHeader("content-encoding", encoding).end(bodies[encoding]);
  });
  const answer = await call(local, `${server.origin}/gzip`);
  assert.equal(answer.text, "plain");
  assert.equal(answer.headers["content-encoding"], undefined);
  assert.equal((await call(local, `${server.origin}/gzip`, { method: "HEAD" })).text, "");
  for (const encoding of ["br", "deflate", "gzip%2C%20br"]) {
    await assert.rejects(
      call(local, `${server.origin}/${encoding}`),
      refusedWith("CS_RUNTIME_EGRESS_FAILED", /only gzip/),
    );
  }
});

test("answers over the limit are cut off: announced, streamed without end, or swelling on decoding", async () => {
  const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
  let sent = 0;
  await using server = await startLocalServer((request, response) => {
    if (request.url === "/announced")
      response.writeHead(200, { "content-length": 6 * 1024 * 1024 }).write("x");
    else if (request.url === "/bomb") response.setHeader("content-encoding", "gzip").end(bomb);
    else {
      const piece = Buffer.alloc(64 * 1024);
      const more = () => {
        while (response.write(piece)) sent += piece.length;
      };
      response.on("drain", more);
      more();
    }
  });
  for (const path of ["/announced", "/endless", "/bomb"]) {
    await assert.rejects(call(local, server.origin + path), refusedWith("CS_PAYLOAD_TOO_LARGE"), path);
  }
  assert.ok(sent < 30 * 1024 * 1024, `${sent} bytes were taken`);
});

test("a gzip answer that breaks off and headers without end are failures of the other side", async () => {
  const cut = gzipSync("plain text ".repeat(1000)).subarray(0, 40);
  await using server = await startLocalServer((request, response) => {
    if (request.url === "/cut") response.setHeader("content-encoding", "gzip").end(cut);
    else response.setHeader("x-long", "x".repeat(40_000)).end();
  });
  for (const path of ["/cut", "/headers"]) {
    await assert.rejects(call(local, server.origin + path), refusedWith("CS_RUNTIME_EGRESS_FAILED"));
  }
});

test("the time limit holds for a host that never answers, never ends, or never stops redirecting", async () => {
  await using server = await startLocalServer((request, response) => {
    if (request.url === "/silent") return;
    if (request.url === "/slow") response.write("x");
    else setTimeout(() => response.writeHead(302, { location: "/redirect" }).end(), 400);
  });
  for (const path of ["/silent", "/slow", "/redirect"]) {
    await assert.rejects(
      call(local, server.origin + path, { timeoutMs: 700 }),
      refusedWith("CS_RUNTIME_EGRESS_FAILED", /no answer within 700 ms/),
      path,
    );
  }
  await assert.rejects(
    call({ resolve: slowlyFailing }, "http://api.example.com/", { timeoutMs: 300 }),
    refusedWith("CS_RUNTIME_EGRESS_FAILED", /within 300 ms/),
  );
});

test("hosts that refuse and names that do not exist are failures of the other side", async () => {
  const server = await answering("x");
  const { origin } = server;
  await server[Symbol.asyncDispose]();
  await assert.rejects(call(local, origin), refusedWith("CS_RUNTIME_EGRESS_FAILED", /ECONNREFUSED/));
  const resolve = failingWith("ENOTFOUND");
  await assert.rejects(
    call({ resolve }, "http://api.example.com/"),
    refusedWith("CS_RUNTIME_EGRESS_FAILED", /ENOTFOUND/),
  );
});

test("bytes are counted in both directions", async () => {
  await using server = await answering("y".repeat(5000));
  const { bytes } = await call(local, server.origin, { method: "POST", body: Buffer.alloc(3000) });
  assert.ok(bytes > 8000 && bytes < 9500, `${bytes} bytes`);
});

test("a tenant has a bounded number of calls open, and gets them back", async () => {
  const held: (() => void)[] = [];
  await using server = await startLocalServer(
    (_request, response) => void held.push(() => response.end("ok")),
  );
  await using egress = createEgress({ ...local, openPerTenantMax: 2 });
  const fetch = (tenant: string) =>
    egress.fetch(
      {
        url: server.origin,
        method: "GET",
        headers: [],
        body: undefined,
        redirect: "follow",
        timeoutMs: PATIENT_MS,
      },
      { tenant, depth: 1, grants: { allow_hosts: ["127.0.0.1"] }, onBytes: () => undefined },
    );
  const open = [fetch("t_aaaaaa"), fetch("t_aaaaaa"), fetch("t_bbbbbb")];
  await assert.rejects(fetch("t_aaaaaa"), refusedWith("CS_RATE_LIMITED"));
  while (held.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const answer of held) answer();
  await Promise.all(open);
  const again = fetch("t_aaaaaa");
  while (held.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  held[3]?.();
  assert.equal((await again).status, 200);
});
