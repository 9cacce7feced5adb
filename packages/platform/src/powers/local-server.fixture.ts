import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** A web server on a loopback address that counts who came. */
export interface LocalServer extends AsyncDisposable {
  port: number;
  /** `http://host:port` */
  origin: string;
  /** Method and target of each request, in order. */
  requests: string[];
  /** Connections opened, also those that never sent a request. */
  connections(): number;
}

/** @param host a loopback address; on Linux every one of 127.0.0.0/8 works */
export async function startLocalServer(
  listener: RequestListener,
  host = "127.0.0.1",
  port = 0,
): Promise<LocalServer> {
  const requests: string[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  server.on("connection", () => (connections += 1));
  server.listen(port, host);
  await once(server, "listening");
  const bound = server.address() as AddressInfo;
  return {
    port: bound.port,
    origin: `http://${host}:${bound.port}`,
    requests,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
