import assert from "node:assert/strict";
import test from "node:test";
import { request } from "undici";
import { type AddressJudge, createAddressJudge } from "./address-judge.ts";
import { createCheckedAgent, createCheckedLookup } from "./checked-agent.ts";
import { startLocalServer } from "./local-server.fixture.ts";

const denied = { code: "CS_RUNTIME_CAPABILITY_DENIED" };

test("a socket that reached another address than the checked one is closed before anything is sent", async () => {
  await using server = await startLocalServer((_request, response) => response.end("canary"));
  const judged: string[] = [];
  // As if the system had connected elsewhere: the address passes before the connection, not after it.
  const judge: AddressJudge = {
    opensPrivate: true,
    allowsPort: () => true,
    judge: (address) => (judged.push(address) > 1 ? "private" : undefined),
  };
  const agent = createCheckedAgent({ judge });
  await assert.rejects(request(server.origin, { dispatcher: agent }), denied);
  await agent.destroy();
  assert.deepEqual(judged, ["127.0.0.1", "127.0.0.1"]);
  assert.deepEqual(server.requests, []);
});

test("a literal address is judged although no resolver is asked for it", async () => {
  await using server = await startLocalServer((_request, response) => response.end("canary"));
  const agent = createCheckedAgent({
    judge: createAddressJudge({ ports: [server.port] }),
    resolve: () => Promise.reject(new Error("asked")),
  });
  await assert.rejects(request(server.origin, { dispatcher: agent }), denied);
  await agent.destroy();
  assert.equal(server.connections(), 0);
});

const lookup = (addresses: string[], all: boolean) =>
  new Promise<unknown[]>((resolve) => {
    const checked = createCheckedLookup({
      judge: createAddressJudge(),
      resolve: async () => addresses.map((address) => ({ address, family: 0 })),
      port: 443,
    });
    checked("api.example.com", { all }, (...answer) => resolve(answer));
  });

test("a lookup hands out exactly the addresses it checked, in both forms", async () => {
  const both = [
    { address: "1.1.1.1", family: 4 },
    { address: "2606:4700::1111", family: 6 },
  ];
  assert.deepEqual(await lookup(["1.1.1.1", "2606:4700::1111"], true), [null, both]);
  assert.deepEqual(await lookup(["1.1.1.1", "2606:4700::1111"], false), [null, "1.1.1.1", 4]);
});

test("one bad answer among good ones refuses the name", async () => {
  for (const bad of ["127.0.0.1", "::1", "10.0.0.1", "nonsense", ""]) {
    const [error] = await lookup(["1.1.1.1", bad, "8.8.8.8"], true);
    assert.ok(error instanceof Error && "code" in error && error.code === denied.code, bad);
  }
});
