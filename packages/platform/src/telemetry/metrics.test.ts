import assert from "node:assert/strict";
import test from "node:test";
import { createMetrics } from "./metrics.ts";

const lines = async (metrics: ReturnType<typeof createMetrics>, start: string) =>
  (await metrics.text()).split("\n").filter((line) => line.startsWith(start));

test("ended activations are counted by function, version, trigger and status", async () => {
  const metrics = createMetrics();
  const handle = metrics.invocation("t_default", "default", "hello", 3, "http");
  handle.done("success", 4, true);
  handle.done("success", 1.2, false);
  handle.done("timeout", 3000, false);
  assert.deepEqual(await lines(metrics, "cs_invocations_total"), [
    'cs_invocations_total{tenant="t_default",namespace="default",function="hello",version="3",trigger="http",status="success"} 2',
    'cs_invocations_total{tenant="t_default",namespace="default",function="hello",version="3",trigger="http",status="timeout"} 1',
  ]);
  const buckets = await lines(metrics, "cs_invocation_duration_ms_bucket");
  assert.match(buckets.find((line) => line.includes('le="1"')) ?? "", / 0$/);
  assert.match(buckets.find((line) => line.includes('le="2.5"')) ?? "", / 1$/);
  assert.match(buckets.find((line) => line.includes('le="5"')) ?? "", / 2$/);
  assert.match(buckets.find((line) => line.includes('le="+Inf"')) ?? "", / 3$/);
  assert.match((await lines(metrics, "cs_invocation_duration_ms_sum"))[0] ?? "", / 3005\.2$/);
  assert.match((await lines(metrics, "cs_invocation_cold_ms_count"))[0] ?? "", / 1$/);
  assert.match((await lines(metrics, "cs_invocation_warm_ms_count"))[0] ?? "", / 2$/);
});

test("the same parts give the same handle, any other part another", () => {
  const metrics = createMetrics();
  const handle = metrics.invocation("t_default", "default", "hello", 1, "http");
  assert.equal(metrics.invocation("t_default", "default", "hello", 1, "http"), handle);
  for (const other of [
    metrics.invocation("t_other0", "default", "hello", 1, "http"),
    metrics.invocation("t_default", "other", "hello", 1, "http"),
    metrics.invocation("t_default", "default", "other", 1, "http"),
    metrics.invocation("t_default", "default", "hello", 2, "http"),
    metrics.invocation("t_default", "default", "hello", 1, "api"),
  ]) {
    assert.notEqual(other, handle);
  }
});

test("past the bound functions share one series, known ones keep theirs, nothing is lost", async () => {
  const metrics = createMetrics({ seriesMax: 3 });
  for (let index = 0; index < 50; index++) {
    metrics.invocation("t_default", "default", `fn-${index}`, 1, "api").done("success", 1, false);
  }
  metrics.invocation("t_default", "default", "fn-0", 1, "api").done("success", 1, false);
  const series = await lines(metrics, "cs_invocations_total");
  assert.equal(series.length, 4);
  assert.match(series.find((line) => line.includes('function="fn-0"')) ?? "", / 2$/);
  assert.match(series.find((line) => line.includes('function="other"')) ?? "", / 47$/);
});

test("requests are counted by route, method and status", async () => {
  const metrics = createMetrics();
  metrics.request("/v1/web/*", "GET").done(200, 1);
  metrics.request("/v1/web/*", "GET").done(200, 1);
  metrics.request("/v1/web/*", "POST").done(504, 3000);
  assert.deepEqual(await lines(metrics, "cs_api_requests_total"), [
    'cs_api_requests_total{route="/v1/web/*",method="GET",status="200"} 2',
    'cs_api_requests_total{route="/v1/web/*",method="POST",status="504"} 1',
  ]);
});

test("a gauge is read at each scrape, and label values are escaped", async () => {
  const metrics = createMetrics();
  let value = 1;
  metrics.gauge("cs_invoker_inflight", "Running", ["function"], () => [
    { labels: { function: 'a"b\n' }, value },
  ]);
  assert.deepEqual(await lines(metrics, "cs_invoker_inflight"), [
    'cs_invoker_inflight{function="a\\"b\\n"} 1',
  ]);
  value = 7;
  assert.match((await lines(metrics, "cs_invoker_inflight"))[0] ?? "", / 7$/);
});

test("the text is what Prometheus reads: HELP and TYPE once for each metric", async () => {
  const metrics = createMetrics();
  metrics
    .counter("cs_invoker_cold_starts_total", "Cold starts", ["runtime"])
    .child({ runtime: "cs-js" }).value += 2;
  metrics.request("/healthz", "GET").done(200, 1);
  const text = await metrics.text();
  const types = text.split("\n").filter((line) => line.startsWith("# TYPE "));
  assert.equal(new Set(types).size, types.length);
  assert.ok(types.includes("# TYPE cs_api_request_duration_ms histogram"));
  assert.ok(types.includes("# TYPE cs_invoker_cold_starts_total counter"));
  assert.match(text, /^cs_invoker_cold_starts_total\{runtime="cs-js"\} 2$/m);
  assert.match(metrics.contentType, /^text\/plain/);
});
