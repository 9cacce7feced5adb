import { createServer } from "node:http";
import { completeBudgets } from "@sous/contract";
import { createIsolateDriver, type SandboxClient, type SandboxProgram } from "@sous/sandbox";

/**
 * The reference path: a bare gateway before the same closed host and isolate, without tokens, queue, record,
 * logs or metrics. What the whole platform costs more than this is what those cost.
 */
const driver = await createIsolateDriver();
const sandbox = await driver.create({ tenant: "t_bench00" });
const program: SandboxProgram = {
  key: "bench",
  sha256: "",
  files: new Map([["function.js", process.argv[2] ?? ""]]),
  entry: "function.js",
  handler: "default",
  isolation: "warm",
  memoryMb: 64,
  maxConcurrency: 10,
  budgets: completeBudgets(64),
  capabilities: {
    kv: { prefixes: [], ops: [] },
    codeq: { publish_topics: [] },
    http: { allow_hosts: [], timeout_ms: 1 },
  },
};
let count = 0;

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk: string) => (body += chunk));
  request.on("end", () => {
    const client: SandboxClient = {
      onHostCall: (_call, answer) =>
        answer({ ok: false, code: "CS_RUNTIME_CAPABILITY_DENIED", message: "denied" }),
      onLog() {},
      onOutcome({ result }) {
        const text = result?.body ?? "";
        response.writeHead(result?.statusCode ?? 500, {
          "content-type": "application/json",
          "content-length": String(Buffer.byteLength(text)),
        });
        response.end(text);
      },
    };
    const deadlineMs = Date.now() + 3000;
    const contextJson = `{"activation_id":"${count}","deadline_ms":${deadlineMs}}`;
    const activationId = String(count++);
    sandbox.start(
      { activationId, program, contextJson, sharedContextJson: "{}", eventJson: body, deadlineMs },
      client,
    );
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
process.on("SIGTERM", () => {
  void driver[Symbol.asyncDispose]().then(() => process.exit(0));
});
