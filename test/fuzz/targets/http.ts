import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ERROR_CATALOGUE } from "@sous/contract";
import { createApi, manifest } from "../../support/api.ts";
import { startServer } from "../../support/server.ts";
import { mutateBytes, smallerBytes } from "../bytes.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { type Json, mutateJson } from "../json.ts";
import type { Random } from "../random.ts";
import { type Answer, parseAnswer } from "./parse-answer.ts";

/** A request as its parts, or as bytes where it is none any more. */
type Input =
  | {
      kind: "request";
      method: string;
      target: string;
      headers: readonly (readonly [string, string])[];
      body: string;
    }
  | { kind: "bytes"; bytes: Buffer };

const ANSWER_MS = 400;
const END_MS = 10_000;
const SCOPE = "/v1/tenants/t_default/namespaces/default/functions";
const ID = "00000000-0000-4000-8000-000000000000";
const FILES: Json = { "function.js": "ZXhwb3J0IGRlZmF1bHQgKCkgPT4gMTs=", "manifest.json": "e30=" };

/** A valid request for each route: method, target, body. */
const SAMPLES: readonly (readonly [string, string, Json?])[] = [
  ["GET", "/healthz"],
  ["GET", "/readyz"],
  ["GET", "/metrics"],
  ["GET", "/openapi.json"],
  ["GET", "/docs"],
  ["GET", "/v1/web/t_default/default/echo/prod/a/b?c=d&c=e"],
  ["POST", "/v1/web/t_default/default/echo/1/", { a: [1, 2] }],
  ["PATCH", "/v1/web/t_default/default/fails/latest/x"],
  ["POST", "/v1/functions/echo:invoke", { a: 1 }],
  ["POST", "/v1/functions/echo@prod:invoke", null],
  ["POST", "/v1/functions/echo:enqueue", { a: 1 }],
  ["GET", "/v1/functions"],
  ["GET", "/v1/functions/echo"],
  ["DELETE", "/v1/functions/gone"],
  ["GET", `/v1/executions/${ID}`],
  ["POST", `${SCOPE}/echo:invoke`, { ref: { alias: "prod" }, mode: "sync", event: { a: 1 } }],
  ["POST", `${SCOPE}/echo:invoke`, { ref: { version: 1 }, mode: "async", event: [] }],
  ["POST", SCOPE, { name: "made", runtime: "cs-js", entry: "function.js", handler: "default" }],
  ["GET", `${SCOPE}?limit=2&cursor=x`],
  ["GET", `${SCOPE}/echo?include_deleted=true`],
  ["DELETE", `${SCOPE}/gone`],
  ["PUT", `${SCOPE}/echo/draft`, { files: FILES }],
  [
    "POST",
    `${SCOPE}/echo/versions`,
    { draft_id: "drf_01ARZ3NDEKTSV4RRFFQ69G5FAV", config: { timeout_ms: 5 }, alias: "b" },
  ],
  ["GET", `${SCOPE}/echo/versions?limit=1`],
  ["GET", `${SCOPE}/echo/versions/1`],
  ["GET", `${SCOPE}/echo/versions/1/files`],
  ["PUT", `${SCOPE}/echo/aliases/other`, { version: 1, weights: { "1": 0.5 } }],
  ["GET", `${SCOPE}/echo/aliases`],
  ["DELETE", `${SCOPE}/echo/aliases/other`],
  ["GET", `${SCOPE}/echo/logs?since=0`],
  ["GET", "/v1/tenants/t_default/activations?status=success&since=1&limit=3"],
  ["GET", `/v1/tenants/t_default/activations/${ID}`],
  ["GET", `/v1/tenants/t_default/activations/${ID}/logs?cursor=0&limit=5`],
  ["POST", `/v1/tenants/t_default/activations/${ID}:cancel`],
  ["POST", "/v1/tokens", { sub: "a", tenant: "t_default", roles: ["admin"] }],
  ["GET", "/v1/tokens"],
];
const METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY", "BREW"];
const SEGMENTS = [
  "..",
  "%2e%2e",
  "%",
  "%00",
  "%ff",
  "a%2Fb",
  "",
  ".",
  "t_other0",
  "__proto__",
  ":",
  "*",
  "ü",
  "x".repeat(300),
  "echo:invoke",
  "latest",
  "0",
  "-1",
  "99999999999999999999",
];
const HEADERS: readonly (readonly [string, string])[] = [
  ["idempotency-key", "k"],
  ["idempotency-key", "\u00ff".repeat(200)],
  ["x-timeout-ms", "0"],
  ["x-timeout-ms", "50"],
  ["x-request-id", "x y"],
  ["x-request-id", "a".repeat(500)],
  ["traceparent", "00-x"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ["prefer", "respond-async"],
  ["expect", "100-continue"],
  ["expect", "something"],
  ["host", "evil.example"],
  ["host", ""],
  ["origin", "https://evil.example"],
  ["content-type", "text/plain"],
  ["content-type", "application/json; charset=utf-16"],
  ["content-length", "3"],
  ["content-length", "-1"],
  ["transfer-encoding", "chunked"],
  ["transfer-encoding", "gzip"],
  ["content-encoding", "br"],
  ["connection", "upgrade"],
  ["upgrade", "websocket"],
  ["authorization", "Bearer x"],
  ["authorization", "Basic"],
  ["cookie", "sous_session=1; a=b"],
  ["accept", "text/html"],
  ["range", "bytes=0-"],
  ["x-forwarded-for", "::1"],
  ["x-cs-depth", "99"],
];
/** Answers of the short forms that the catalogue has under another status, and Node's own for slow requests. */
const OTHER_STATUSES = new Set([408, 500]);
/** What a request that cannot be served now may be told with 5xx; a function that fails is a 502 or 504. */
const SERVER_STATUSES = new Set([502, 503, 504, 508]);

/** Requests to a running platform: always an answer, an error always in its envelope, never a fault of ours. */
export const HTTP: FuzzTarget<Input> = {
  name: "http",
  async open() {
    const data = mkdtempSync(join(tmpdir(), "sous-fuzz-"));
    const server = await startServer({ settings: { data } });
    const api = createApi(server.url);
    const limits = { timeoutMs: 300 };
    await api.deploy({
      name: "echo",
      files: { "function.js": "export default (event) => event;", "manifest.json": manifest({ limits }) },
    });
    await api.deploy({
      name: "fails",
      files: { "function.js": "export default () => { throw 1; };", "manifest.json": manifest({ limits }) },
    });
    return {
      generate: someRequest,
      async run(input) {
        const complaint = await send(server.url, input);
        if (complaint !== undefined) return complaint;
        // A listener that is gone, or a process that is, would be seen by the next request.
        const alive = await fetch(`${server.url}/healthz`);
        await alive.arrayBuffer();
        return alive.status === 200 ? undefined : `afterwards /healthz says ${alive.status}`;
      },
      *smaller(input) {
        if (input.kind === "bytes") {
          for (const bytes of smallerBytes(input.bytes)) yield { kind: "bytes", bytes };
          return;
        }
        for (const at of input.headers.keys()) yield { ...input, headers: input.headers.toSpliced(at, 1) };
        for (let length = 0; length < input.body.length; length = length * 2 + 1)
          yield { ...input, body: input.body.slice(0, length) };
        for (let length = 1; length < input.target.length; length *= 2)
          yield { ...input, target: input.target.slice(0, length) };
      },
      show: (input) => JSON.stringify(bytesOf(input).toString("latin1")),
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        rmSync(data, { recursive: true, force: true });
      },
    };
  },
};

function someRequest(random: Random): Input {
  const [method, target, body] = random.pick(SAMPLES);
  const headers: [string, string][] = [["host", "localhost"]];
  let text = "";
  if (body !== undefined) {
    const sent = random.chance(0.7) ? mutateJson(body, random) : body;
    text = JSON.stringify(sent);
    if (random.chance(0.1)) text = mutateBytes(Buffer.from(text), random).toString("latin1");
    headers.push(["content-type", "application/json"]);
  }
  const request = {
    kind: "request",
    method: random.chance(0.15) ? random.pick(METHODS) : method,
    target: random.chance(0.5) ? changeTarget(target, random) : target,
    headers,
    body: text,
  } as const satisfies Input;
  for (let left = random.below(3); left > 0; left--) headers.push([...random.pick(HEADERS)]);
  if (random.chance(0.05)) headers.shift();
  if (!random.chance(0.15)) return request;
  return { kind: "bytes", bytes: mutateBytes(bytesOf(request), random) };
}

function changeTarget(target: string, random: Random): string {
  const parts = target.split("/");
  const at = 1 + random.below(parts.length);
  if (random.chance(0.3)) parts.splice(at, random.below(2), random.pick(SEGMENTS));
  else parts[Math.min(at, parts.length - 1)] = random.pick(SEGMENTS);
  const changed = parts.join("/");
  if (random.chance(0.1)) return `${changed}?${"q=%00&".repeat(1 + random.below(3000))}`;
  return random.chance(0.05) ? changed.slice(1) : changed;
}

function bytesOf(input: Input): Buffer {
  if (input.kind === "bytes") return input.bytes;
  const { method, target, headers, body } = input;
  const bytes = Buffer.from(body, "utf8");
  const told = headers.some(([name]) => name === "content-length" || name === "transfer-encoding");
  const all = [...headers];
  if (!told && bytes.length > 0) all.push(["content-length", String(bytes.length)]);
  const lines = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, "utf8"), bytes]);
}

/** Sends bytes over a connection of their own, and judges the first answer. */
async function send(url: string, input: Input): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let heard: () => void = () => {};
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    heard();
  });
  socket.on("error", () => {});
  const closed = once(socket, "close").catch(() => {});
  const ended = once(socket, "end").catch(() => {});
  const method = input.kind === "request" ? input.method : input.bytes.toString("latin1").split(" ")[0];
  const answerOf = (): Answer | undefined => parseAnswer(Buffer.concat(chunks), method === "HEAD");
  socket.write(bytesOf(input));
  const until = async (timeMs: number, done: () => boolean): Promise<void> => {
    const endMs = performance.now() + timeMs;
    while (!done() && performance.now() < endMs) {
      const more = new Promise<void>((resolve) => (heard = resolve));
      await Promise.race([more, ended, closed, pause(20)]);
      if (socket.closed) return;
    }
  };
  try {
    // A server lets go of a request whose sender has closed: only one that may be incomplete is hurried.
    const whole = input.kind === "request" && !ambiguous(input);
    await until(whole ? END_MS : ANSWER_MS, () => answerOf() !== undefined);
    if (answerOf() === undefined && !socket.closed) {
      // Perhaps it waits for the rest of a request that was cut: there is none.
      socket.end();
      await until(END_MS, () => answerOf() !== undefined || socket.readableEnded);
    }
    const answer = answerOf();
    if (answer !== undefined) return judge(answer);
    if (chunks.length > 0) return `half an answer: ${Buffer.concat(chunks).toString("latin1").slice(0, 300)}`;
    if (!socket.closed && !socket.readableEnded) return "neither an answer nor an end";
    return input.kind === "request" && !ambiguous(input)
      ? "the connection ended without an answer"
      : undefined;
  } finally {
    socket.destroy();
  }
}

/** Whether a request may honestly be waiting for more: it says that its body is longer, or chunked. */
const ambiguous = ({ headers }: Extract<Input, { kind: "request" }>): boolean =>
  headers.some(([name]) => name === "content-length" || name === "transfer-encoding" || name === "upgrade");

const pause = (timeMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, timeMs));

function judge({ status, headers, body, bodyless }: Answer): string | undefined {
  const shown = `${status} ${body.toString("utf8").slice(0, 300)}`;
  if (status < 400) return undefined;
  if (status >= 500 && !SERVER_STATUSES.has(status) && !/"(CS_RUNTIME_\w+)"/.test(shown))
    return `a fault: ${shown}`;
  if (headers.get("x-request-id") === undefined) return `no x-request-id: ${shown}`;
  if (bodyless) return undefined;
  let error: { code?: unknown; message?: unknown; request_id?: unknown } | undefined;
  try {
    ({ error } = JSON.parse(body.toString("utf8")) as { error?: typeof error });
  } catch {
    return `no envelope: ${shown}`;
  }
  const code = String(error?.code);
  if (!Object.hasOwn(ERROR_CATALOGUE, code)) return `no code of the catalogue: ${shown}`;
  if (typeof error?.message !== "string" || error.request_id !== headers.get("x-request-id"))
    return `no whole envelope: ${shown}`;
  const expected = ERROR_CATALOGUE[code as keyof typeof ERROR_CATALOGUE].status;
  return status === expected || OTHER_STATUSES.has(status) ? undefined : `${code} with status ${status}`;
}
