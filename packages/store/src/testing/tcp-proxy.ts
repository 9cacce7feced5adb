import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A way to a server of this machine that a test can cut, or make silent. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends every connection at once; new ones are taken. */
  cut(): void;
  /** Lets nothing through in either direction while connections stand, or everything again. */
  hold(on: boolean): void;
  /** Refuses new connections, or takes them again. */
  refuse(on: boolean): void;
  /** Called with each chunk of the server's answers; where it says so, the chunk is lost and the connection cut. */
  onAnswer: ((chunk: Buffer) => boolean) | undefined;
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isRefusing = false;
  const server = createServer((client) => {
    if (isRefusing) {
      client.destroy();
      return;
    }
    const upstream = connect(targetPort, "127.0.0.1");
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      sockets.delete(client);
      sockets.delete(upstream);
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", end).on("error", end);
    }
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      if (proxy.onAnswer?.(chunk) === true) end();
      else client.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const proxy: TcpProxy = {
    port: address.port,
    onAnswer: undefined,
    cut,
    hold(on) {
      for (const socket of sockets) {
        if (on) socket.pause();
        else socket.resume();
      }
    },
    refuse(on) {
      isRefusing = on;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      cut();
      await once(server, "close");
    },
  };
  return proxy;
}
