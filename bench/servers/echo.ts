import { createServer } from "node:http";

/** Takes a POST and sends its body back: the baseline of the durable enqueue. */
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    response.writeHead(202, { "content-type": "application/json", "content-length": String(body.length) });
    response.end(body);
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
process.on("SIGTERM", () => process.exit(0));
