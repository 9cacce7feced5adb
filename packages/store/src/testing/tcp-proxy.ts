import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** What a network lets through no more: what clients ask, what the server answers, or both. */
export type Partition = "requests" | "answers" | "both";

/** A way to a server of this machine that a test can cut, or make silent. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends every connection at once; new ones are taken. */
  cut(): void;
  /** Lets nothing through in either direction while connections stand, or everything again. */
  hold(on: boolean): void;
  /**
   * Lets nothing through in some direction, of new connections either, until `undefined` heals it: then what was sent
   * meanwhile arrives, late.
   */
  partition(direction: Partition | undefined): void;
  /** Refuses new connections, or takes them again. */
  refuse(on: boolean): void;
  /** Called with each chunk of the server's answers; where it says so, the chunk is lost and the connection cut. */
  onAnswer: ((chunk: Buffer) => boolean) | undefined;
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const pairs = new Set<readonly [client: Socket, upstream: Socket]>();
  let isRefusing = false;
  let lost: Partition | undefined;
  const apply = ([client, upstream]: readonly [Socket, Socket]): void => {
    if (lost === "requests" || lost === "both") client.pause();
    else client.resume();
    if (lost === "answers" || lost === "both") upstream.pause();
    else upstream.resume();
  };
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
      pairs.delete(pair);
    };
    const pair = [client, upstream] as const;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", end).on("error", end);
    }
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      if (proxy.onAnswer?.(chunk) === true) end();
      else client.write(chunk);
    });
    pairs.add(pair);
    if (lost !== undefined) apply(pair);
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
    partition(direction) {
      lost = direction;
      for (const pair of pairs) apply(pair);
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
