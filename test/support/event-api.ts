import { type Api, manifest, until } from "./api.ts";

/** Keeps what it sees under the source's name in `cs.kv`, and fails or waits as a message says. */
export const SEEN = {
  "manifest.json": manifest({
    limits: { timeoutMs: 5000, maxConcurrency: 20 },
    capabilities: { kv: { prefixes: ["seen/"], ops: ["get", "set"] } },
  }),
  "function.js": `export default async (event, ctx) => {
    if (event.requestPayload) {
      await cs.kv.set("seen/destination/" + ctx.activation_id, event);
      return;
    }
    const source = ctx.trigger.source ?? {};
    const failed = [];
    for (const record of event.Records) {
      const text = record.body ?? record.cloudEvent?.data;
      let body = text;
      try { body = JSON.parse(text); } catch {}
      if (body?.waitMs) await new Promise((resolve) => setTimeout(resolve, body.waitMs));
      if (body?.fail) throw new Error("poison " + body.n);
    }
    for (const record of event.Records) {
      let body = record.body;
      try { body = JSON.parse(record.body); } catch {}
      const id = record.messageId ?? record.eventID ?? record.s3?.object.key;
      if (body?.reportUntil) {
        const tries = ((await cs.kv.get("seen/tries/" + id)) ?? 0) + 1;
        await cs.kv.set("seen/tries/" + id, tries);
        if (tries < body.reportUntil) { failed.push({ itemIdentifier: id }); continue; }
      }
      const kept = { ...record, version: ctx.version, activationId: ctx.activation_id, runs: ((await cs.kv.get("seen/" + record.eventSourceName + "/" + id))?.runs ?? 0) + 1 };
      if (typeof kept.body === "string" && kept.body.length > 10000) kept.body = kept.body.slice(0, 100);
      await cs.kv.set("seen/" + record.eventSourceName + "/" + id, kept);
      console.log("seen", record.eventSourceName, id);
    }
    return { batchItemFailures: failed };
  };`,
};

/** Roles of a function that sources and destinations may run. */
export const WORKERS = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: [],
  invoke_cadence_roles: [],
  invoke_event_roles: ["role:worker", "sp:cs-destinations"],
};

const READER = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["seen/"], ops: ["get"] } } }),
  "function.js": `export default async ({ keys }) => await Promise.all(keys.map((key) => cs.kv.get(key)));`,
};

/** A record as a function saw it. */
export interface SeenRecord {
  messageId?: string;
  eventSource: string;
  eventSourceName: string;
  body: { n: number } & string;
  headers?: Record<string, string>;
  isBase64Encoded?: boolean;
  cloudEvent?: { id: string; data: { n: number } };
  kinesis?: { sequenceNumber: string; partitionKey: string; data: string };
  s3?: { bucket: { name: string }; object: { key: string; size?: number } };
  /** Of the function that saw it. */
  version: number;
  /** The call that saw it last. */
  activationId: string;
  /** How often it ran. */
  runs: number;
  /** What a destination got. */
  requestPayload: { Records: SeenRecord[] };
}

/** A call of a function with messages of a source, as its record says. */
export interface EventCall {
  activation_id: string;
  status: string;
  start_ms: number | null;
  end_ms: number | null;
  trigger: {
    source: { event_source?: string; messages?: number; partition?: string; destination?: string };
  };
}

/** Event sources over the API, and what functions saw of them. */
export function createEventApi(api: Api, hasReaderAlready = false) {
  const namespace = "/v1/tenants/t_default/namespaces/default";
  const path = `${namespace}/event-sources`;
  let reader: Promise<unknown> | undefined = hasReaderAlready ? Promise.resolve() : undefined;

  async function read(keys: string[]): Promise<SeenRecord[]> {
    reader ??= api.deploy({ name: "reader", files: READER });
    await reader;
    const { result } = await api.invoke("reader", { keys });
    return (JSON.parse(result?.body ?? "[]") as (SeenRecord | null)[]).filter((found) => found !== null);
  }

  const activations = async (): Promise<EventCall[]> =>
    (
      await api.expect<{ items: EventCall[] }>(
        200,
        "GET",
        "/v1/tenants/t_default/activations?trigger=event&limit=500",
      )
    ).items.toReversed();

  /** What each call logged that has logged all it will. */
  const whole = new Map<string, string[]>();

  async function loggedBy({ activation_id, trigger }: EventCall): Promise<string[]> {
    const known = whole.get(activation_id);
    if (known !== undefined) return known;
    const { chunks } = await api.expect<{ chunks: string[] }>(
      200,
      "GET",
      `/v1/tenants/t_default/activations/${activation_id}/logs?limit=500`,
    );
    const ids = chunks.flatMap((chunk) => {
      const [, name, id] = /seen (\S+) (\S+)/.exec(chunk) ?? [];
      return name === trigger.source.event_source && id !== undefined ? [id] : [];
    });
    if (ids.length === trigger.source.messages) whole.set(activation_id, ids);
    return ids;
  }

  /** @returns the calls of a source, in the order they were queued */
  const calls = async (source: string): Promise<EventCall[]> =>
    (await activations()).filter(({ trigger }) => trigger.source.event_source === source);

  /** @returns the ids that functions logged of a source, in the order of their logs */
  async function loggedIds(source: string): Promise<string[]> {
    const ids = new Set<string>();
    for (const call of await calls(source)) for (const id of await loggedBy(call)) ids.add(id);
    return [...ids];
  }

  return {
    path,
    deploySeen: async (name: string, alias?: string): Promise<void> => {
      if (alias === undefined) await api.deploy({ name, files: SEEN, config: { authz: WORKERS } });
      else await api.publish({ name, files: SEEN, config: { authz: WORKERS } });
    },
    publishSeen: async (name: string): Promise<void> => {
      await api.publish({ name, files: SEEN, config: { authz: WORKERS } });
    },
    create: (body: object): Promise<Record<string, unknown>> => api.expect(201, "POST", path, body),
    secret: (name: string, value: string): Promise<unknown> =>
      api.expect(200, "PUT", `${namespace}/secrets/${name}`, { value }),
    status: (
      name: string,
    ): Promise<{
      state: string;
      lag: number | null;
      in_flight: number;
      partitions: number;
      received: number;
      filtered: number;
      succeeded: number;
      failed: number;
      last_error: { message: string } | null;
      last_activation_id: string | null;
    }> => api.expect(200, "GET", `${path}/${name}/status`),
    calls,
    /** Waits until a function has seen so many messages of a source. @returns them */
    async seen(source: string, count: number, timeoutMs = 60_000): Promise<SeenRecord[]> {
      let ids: string[] = [];
      await until(
        async () => (ids = await loggedIds(source)).length >= count,
        `${count} messages of ${source} are seen`,
        timeoutMs,
      );
      return await read(ids.map((id) => `seen/${source}/${id}`));
    },
    /** Waits until a destination was told so often. @returns what */
    async destination(count: number): Promise<SeenRecord[]> {
      let ids: string[] = [];
      await until(async () => {
        ids = (await activations())
          .filter(({ trigger, status }) => trigger.source.destination !== undefined && status === "success")
          .map(({ activation_id }) => activation_id);
        return ids.length >= count;
      }, "the destination is told");
      return await read(ids.map((id) => `seen/destination/${id}`));
    },
  };
}

export type EventApi = ReturnType<typeof createEventApi>;
