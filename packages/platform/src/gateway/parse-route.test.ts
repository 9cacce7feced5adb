import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRoute } from "./parse-route.ts";

const kindOf = (url: string): string | undefined => parseRoute(url)?.kind;

test("a web path keeps what follows as it was sent, still encoded", () => {
  const route = parseRoute("/v1/web/t_default/default/hello/prod/a%2Fb//c?x=%20&y=1");
  assert.deepEqual(route, {
    kind: "web",
    tenant: "t_default",
    namespace: "default",
    name: "hello",
    ref: "prod",
    target: { alias: "prod" },
    rawPath: "/v1/web/t_default/default/hello/prod/a%2Fb//c",
    query: "x=%20&y=1",
  });
  const bare = parseRoute("/v1/web/t_default/default/hello/17");
  assert.ok(bare?.kind === "web");
  assert.deepEqual(bare.target, { version: 17 });
  assert.equal(bare.query, "");
});

test("short forms name a function, perhaps a reference, and a verb", () => {
  assert.deepEqual(parseRoute("/v1/functions/hello:invoke"), {
    kind: "short",
    verb: "invoke",
    name: "hello",
    ref: "latest",
    target: undefined,
    source: { path: "/v1/functions/hello:invoke" },
  });
  const route = parseRoute("/v1/functions/hello@3:enqueue?x");
  assert.ok(route?.kind === "short");
  assert.deepEqual([route.verb, route.ref, route.target], ["enqueue", "3", { version: 3 }]);
  // Read once and answered from memory the second time.
  assert.deepEqual(parseRoute("/v1/functions/hello@3:enqueue"), route);
});

test("names and references that cannot be are told apart from paths of others", () => {
  for (const path of [
    "/v1/web/t_x/default/hello/prod",
    "/v1/web/t_default/D/hello/prod",
    "/v1/web/t_default/default/h/prod",
    "/v1/web/t_default/default/hello/0",
    "/v1/web/t_default/default/hello/PROD",
    "/v1/web/t_default/default/hello/2147483648",
    "/v1/web/t_default/default/hello",
    "/v1/web/%74_default/default/hello/prod",
    "/v1/functions/..%2f:invoke",
    "/v1/functions/hello@:invoke",
    "/v1/tenants/t_x/namespaces/default/functions/hello:invoke",
  ]) {
    assert.equal(kindOf(path), "bad", path);
  }
  for (const path of [
    "/",
    "/v1/functions",
    "/v1/functions/hello",
    "/v1/functions/hello:delete",
    "/v1/websites/x",
    "/healthz",
  ]) {
    assert.equal(kindOf(path), undefined, path);
  }
});

test("any text is a route, a bad one or nobody's: none throws", () => {
  let seed = 7;
  const random = (below: number): number =>
    (seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff) % below;
  const alphabet = "/:@?%#.ab1_-\u0000é😀tv\\ ";
  for (let round = 0; round < 2000; round++) {
    let text = ["/v1/web/", "/v1/functions/", "/v1/tenants/", "/"][random(4)] ?? "";
    for (let i = random(40); i > 0; i--) text += alphabet[random(alphabet.length)];
    if (random(3) === 0) text += ":invoke";
    assert.doesNotThrow(() => parseRoute(text));
  }
});
