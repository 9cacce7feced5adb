import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { NotedRun } from "./history.ts";

/** Where handlers note their runs past the platform: whatever is cut off from it, this they reach. */
export interface RunNotes extends AsyncDisposable {
  readonly port: number;
  /** By activation, in the order they came. */
  readonly runs: ReadonlyMap<string, readonly NotedRun[]>;
}

/** What a manifest needs so that its function may note its runs, beside `egress.private_allow` for loopback. */
export const notesAllowed = ({ port }: RunNotes) => ({
  http: { allow: [{ host: "127.0.0.1", methods: ["POST"], paths: ["/run"], ports: [port] }] },
});

/** A statement for the beginning of a handler with the parameter `ctx`. */
export const noteRun = ({ port }: RunNotes): string =>
  `await fetch("http://127.0.0.1:${port}/run", { method: "POST", body: JSON.stringify({ id: ctx.activation_id, attempt: ctx.attempt, version: ctx.version }) });`;

export async function startRunNotes(): Promise<RunNotes> {
  const runs = new Map<string, NotedRun[]>();
  const server = createServer((request, response) => {
    const atMs = Date.now();
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { id, attempt, version } = JSON.parse(Buffer.concat(parts).toString()) as {
        id: string;
        attempt: number;
        version: number;
      };
      runs.set(id, [...(runs.get(id) ?? []), { attempt, version, atMs }]);
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    runs,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
