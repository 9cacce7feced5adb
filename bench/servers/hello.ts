import { createServer } from "node:http";

/** The least a Node HTTP server can do: the baseline every figure is a ratio of. */
const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "17" });
  response.end('{"message":"hi!"}');
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
process.on("SIGTERM", () => process.exit(0));
