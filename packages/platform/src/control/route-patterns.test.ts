import assert from "node:assert/strict";
import test from "node:test";
import { createMethodTable, routeLabel } from "./route-patterns.ts";

test("a label is the path as people write it", () => {
  assert.equal(routeLabel("/v1/functions/:name(^[^:]+)::invoke"), "/v1/functions/{name}:invoke");
  assert.equal(
    routeLabel("/v1/web/:tenant/:namespace/:function/:ref/*"),
    "/v1/web/{tenant}/{namespace}/{function}/{ref}/{path}",
  );
  assert.equal(routeLabel("/openapi.json"), "/openapi.json");
});

test("the table knows the methods of a path, and none of a path that is not there", () => {
  const table = createMethodTable();
  table.add("GET", "/v1/functions/:name");
  table.add("DELETE", "/v1/functions/:name");
  table.add("POST", "/v1/functions/:name(^[^:]+)::invoke");
  table.add(["GET", "POST"], "/v1/web/:tenant/*");
  table.add("GET", "/openapi.json");
  assert.deepEqual(table.allowed("/v1/functions/hello"), ["GET", "DELETE"]);
  assert.deepEqual(table.allowed("/v1/functions/hello:invoke"), ["POST"]);
  assert.deepEqual(table.allowed("/v1/web/t_default/a/b"), ["GET", "POST"]);
  assert.deepEqual(table.allowed("/v1/functions/hello/more"), []);
  assert.deepEqual(table.allowed("/openapiXjson"), []);
});
