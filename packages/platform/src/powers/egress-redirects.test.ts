import assert from "node:assert/strict";
import test from "node:test";
import { type HttpAllow, PlatformError } from "@sous/contract";
import { type EgressRequest } from "./create-egress.ts";
import { answering, call, local, refusedWith } from "./egress-call.fixture.ts";
import { startLocalServer } from "./local-server.fixture.ts";

test("redirects to an address, host or scheme that may not be called are refused", async () => {
  await using canary = await answering("canary");
  const targets = [
    `http://127.0.0.2:${canary.port}/`,
    `http://[::1]:${canary.port}/`,
    `//127.0.0.2:${canary.port}/`,
    "http://169.254.169.254/latest/",
    "http://metadata.google.internal/",
    "http://example.org/",
    "file:///etc/passwd",
    "http://user:pass@127.0.0.1/",
  ];
  for (const target of targets) {
    await using server = await startLocalServer((_request, response) =>
      response.writeHead(302, { location: target }).end(),
    );
    const hosts = ["127.0.0.1", "127.0.0.2", "[::1]", "169.254.169.254", "metadata.google.internal"];
    await assert.rejects(call(local, server.origin, {}, hosts), (error: unknown) => {
      assert.ok(error instanceof PlatformError);
      assert.match(error.code, /CS_RUNTIME_CAPABILITY_DENIED|CS_VALIDATION_FAILED/, target);
      return true;
    });
    assert.equal(server.requests.length, 1);
  }
  assert.equal(canary.connections(), 0);
});

test("five redirects are followed, a sixth is not", async () => {
  await using server = await startLocalServer((request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) response.end("there");
    else response.writeHead(302, { location: `/${left - 1}` }).end("x".repeat(1000));
  });
  const answer = await call(local, `${server.origin}/5`);
  assert.equal(answer.text, "there");
  assert.equal(answer.url, `${server.origin}/0`);
  await assert.rejects(
    call(local, `${server.origin}/6`),
    refusedWith("CS_RUNTIME_EGRESS_FAILED", /redirects/),
  );
});

test("a function may look at a redirect itself or refuse it", async () => {
  await using server = await startLocalServer((_request, response) =>
    response.writeHead(302, { location: "http://10.0.0.1/" }).end(),
  );
  const answer = await call(local, server.origin, { redirect: "manual" });
  assert.equal(answer.status, 302);
  assert.equal(answer.headers["location"], "http://10.0.0.1/");
  await assert.rejects(
    call(local, server.origin, { redirect: "error" }),
    refusedWith("CS_RUNTIME_EGRESS_FAILED"),
  );
});

test("method, headers and body arrive; credentials do not cross to another origin", async () => {
  const seen: Record<string, unknown>[] = [];
  await using other = await startLocalServer((request, response) => {
    seen.push({ method: request.method, ...request.headers });
    response.end();
  });
  await using server = await startLocalServer((request, response) => {
    seen.push({ method: request.method, ...request.headers });
    request.resume().on("end", () => response.writeHead(307, { location: other.origin }).end());
  });
  const headers = Object.entries({ authorization: "Bearer x", "x-one": "1", Host: "evil.example" });
  await call(local, server.origin, { method: "POST", headers, body: Buffer.from("{}") });
  assert.equal(seen[0]?.["authorization"], "Bearer x");
  assert.equal(seen[0]?.["host"], `127.0.0.1:${server.port}`);
  assert.equal(seen[0]?.["accept-encoding"], "gzip, identity");
  assert.equal(seen[1]?.["method"], "POST");
  assert.equal(seen[1]?.["content-length"], "2");
  assert.equal(seen[1]?.["x-one"], "1");
  assert.equal(seen[1]?.["authorization"], undefined);
});

test("each hop of a redirect is judged by its own host, method, path and port", async () => {
  await using server = await startLocalServer((request, response) => {
    const to = new URL(request.url ?? "/", "http://x").searchParams.get("to");
    if (to === null) response.end(request.method);
    else response.writeHead(request.method === "POST" ? 303 : 302, { location: to }).end();
  });
  const { port } = server;
  const allow: HttpAllow[] = [
    { host: "127.0.0.1", methods: ["POST"], paths: ["/start"], ports: [port] },
    { host: "127.0.0.1", methods: ["GET"], paths: ["/start", "/end"], ports: [port] },
  ];
  const go = (to: string, method: EgressRequest["method"]) =>
    call(local, `${server.origin}/start?to=${encodeURIComponent(to)}`, { method }, undefined, allow);
  const denied = (message: RegExp) => refusedWith("CS_RUNTIME_CAPABILITY_DENIED", message);
  assert.equal((await go("/end", "POST")).text, "GET");
  assert.equal((await go("/end", "GET")).text, "GET");
  await assert.rejects(go("/admin", "GET"), denied(/path "\/admin"/));
  await assert.rejects(go("/x/%2e%2e/admin", "GET"), denied(/path "\/admin"/));
  await assert.rejects(go(`http://127.0.0.1:${port === 65_535 ? 1 : port + 1}/end`, "GET"), denied(/port/));
  const posts = [{ ...allow[0], paths: ["/*"] } as HttpAllow];
  const url = `${server.origin}/start?to=/end`;
  await assert.rejects(call(local, url, { method: "POST" }, undefined, posts), denied(/GET to/));
  assert.ok(!server.requests.some((line) => line.includes("/admin")));
});
