import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { answerOf, attempt, type EscapeProbe } from "../probe.ts";

const FAMILIES = {
  unix: 1,
  inet: 2,
  inet6: 10,
  netlink: 16,
  packet: 17,
  bluetooth: 31,
  alg: 38,
  vsock: 40,
  xdp: 44,
} as const;
const DATAGRAM = 2;

const ofFamily = ([name, family]: [string, number]): EscapeProbe => ({
  name: `a socket of the family ${name}`,
  run: ({ system }) => answerOf(system.call("socket", family, family === 17 ? 3 : DATAGRAM, 0)),
  locked: ["EPERM"],
});

const settled = (start: (done: (value: unknown) => void) => void): Promise<unknown> => new Promise(start);

/** The network, and sockets of every family: a namespace alone does not close vsock, datagrams to itself or listening. */
export const SOCKET_PROBES: readonly EscapeProbe[] = [
  ...Object.entries(FAMILIES).map(ofFamily),
  {
    name: "a pair of sockets, to send from",
    run: ({ system }) => answerOf(system.call("socketpair", 1, DATAGRAM, 0, Buffer.alloc(8))),
    locked: ["EPERM"],
  },
  {
    name: "connecting to loopback",
    run: () =>
      settled((done) => {
        const socket = connect({ host: "127.0.0.1", port: 80 }, () => done("connected"));
        socket.on("error", (error: NodeJS.ErrnoException) => done(error.code));
      }),
    locked: ["EPERM"],
  },
  {
    name: "connecting to a socket of the container engine",
    run: () =>
      settled((done) => {
        const socket = connect("/var/run/docker.sock", () => done("connected"));
        socket.on("error", (error: NodeJS.ErrnoException) => done(error.code));
      }),
    locked: ["EPERM"],
  },
  {
    name: "listening",
    run: () =>
      settled((done) => {
        const server = createServer().on("error", (error: NodeJS.ErrnoException) => done(error.code));
        server.listen(0, "127.0.0.1", () => done("listens"));
      }),
    locked: ["EPERM"],
  },
  {
    name: "a datagram",
    run: () =>
      attempt(() =>
        settled((done) => {
          const socket = createSocket("udp4");
          socket.on("error", (error: NodeJS.ErrnoException) => done(error.code));
          socket.send("x", 53, "127.0.0.1", (error) =>
            done((error as NodeJS.ErrnoException | null)?.code ?? "sent"),
          );
        }),
      ),
    locked: ["EPERM"],
  },
  {
    name: "passing a descriptor over the link",
    run: ({ system }) => answerOf(system.call("sendmsg", 3, Buffer.alloc(56), 0)),
    locked: ["EPERM"],
  },
];
