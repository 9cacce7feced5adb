import { promises as dns } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { callbackify } from "node:util";
import { PlatformError } from "@sous/contract";
import { Agent, buildConnector } from "undici";
import type { AddressJudge } from "./address-judge.ts";
import { addressOf } from "./allow-host.ts";
import { addressRefusal, portOf } from "./egress-url.ts";

/** One answer of a resolver. */
export interface ResolvedAddress {
  address: string;
  family: number;
}

/** Resolves a name to all of its addresses. */
export type Resolver = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export interface CheckedAgentOptions {
  judge: AddressJudge;
  /** (the operating system's, as `getaddrinfo` gives it) */
  resolve?: Resolver;
  /** Milliseconds a connection may take to stand (5000). */
  connectTimeoutMs?: number;
}

const CONNECTIONS_PER_ORIGIN_MAX = 64;
const HEADERS_BYTES_MAX = 16 * 1024;
const IDLE_MS = 4000;

// Not dns.resolve*: it skips /etc/hosts and has read names differently from the connection that follows.
const systemResolver: Resolver = (hostname) => dns.lookup(hostname, { all: true, order: "ipv4first" });

/**
 * Makes the agent of all calls out. It never uses a proxy, which would resolve names for us, nor HTTP/2. Each
 * connection is checked three times: a literal address before connecting (no resolver is asked for those),
 * every answer of the resolver (one that is not public refuses the name, and only checked answers are
 * connected to), and the address the socket says it reached.
 */
export function createCheckedAgent(options: CheckedAgentOptions): Agent {
  const { judge, resolve = systemResolver, connectTimeoutMs = 5000 } = options;
  // A lookup is not told the port, so that each port has a connector of its own; there are few.
  const connectors = new Map<number, buildConnector.connector>();
  const connectorOf = (port: number) => {
    const known = connectors.get(port);
    if (known !== undefined) return known;
    const lookup = createCheckedLookup({ judge, resolve, port });
    const made = buildConnector({
      lookup,
      timeout: connectTimeoutMs,
      autoSelectFamily: true,
      allowH2: false,
    });
    connectors.set(port, made);
    return made;
  };
  return new Agent({
    connections: CONNECTIONS_PER_ORIGIN_MAX,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: HEADERS_BYTES_MAX,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // The deadline of the whole call is shorter than either.
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
    connect(target, callback) {
      const port = portOf(target);
      const literal = addressOf(target.hostname);
      const problem = literal === undefined ? undefined : judge.judge(literal, port);
      if (problem !== undefined) return callback(addressRefusal(problem, target.hostname, port), null);
      connectorOf(port)(target, (error, socket) => {
        if (error !== null) return callback(error, null);
        const reached = judge.judge(socket.remoteAddress ?? "", port);
        if (reached === undefined) return callback(null, socket);
        socket.destroy();
        callback(addressRefusal(reached, target.hostname, port), null);
      });
    },
  });
}

export interface CheckedLookupOptions {
  judge: AddressJudge;
  resolve: Resolver;
  port: number;
}

/** Makes a lookup for `net.connect` that fails when any answer may not be called, and hands out those it checked. */
export function createCheckedLookup(options: CheckedLookupOptions): LookupFunction {
  const { judge, resolve, port } = options;
  const checked = callbackify(async (hostname: string) => checkAnswers(await resolve(hostname), hostname));
  return (hostname, { all }, callback) =>
    checked(hostname, (error, answers) => {
      if (error !== null) callback(error, []);
      else if (all === true) callback(null, answers);
      else callback(null, answers[0]?.address ?? "", answers[0]?.family);
    });

  function checkAnswers(answers: readonly ResolvedAddress[], hostname: string): ResolvedAddress[] {
    if (answers.length === 0) {
      throw new PlatformError("CS_RUNTIME_EGRESS_FAILED", `cs.http.fetch: ${hostname} has no address`);
    }
    for (const { address } of answers) {
      const problem = judge.judge(address, port);
      if (problem !== undefined) throw addressRefusal(problem, hostname, port);
    }
    // A resolver's word on the family is not taken either.
    return answers.map(({ address }) => ({ address, family: isIP(address) }));
  }
}
