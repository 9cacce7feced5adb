import Type, { type Static } from "typebox";
import { ManifestBudgets } from "./budgets.ts";
import { Host, HttpAllowList } from "./http-allow.ts";

const closed = { additionalProperties: false } as const;

export const Isolation = Type.Enum(["warm", "context", "fresh", "shared"], {
  description:
    "warm: an isolate of the same version may be reused; context: fresh globals in such an isolate; fresh: a new isolate for every activation; shared: as warm, in an isolate with other shared functions of the tenant, whose memory they have together",
});
export type Isolation = Static<typeof Isolation>;

const Prefix = Type.String({ minLength: 1, maxLength: 256 });
export const KvCapability = Type.Object(
  {
    prefixes: Type.Array(Prefix, { maxItems: 64 }),
    ops: Type.Array(Type.Enum(["get", "set", "del"]), {
      maxItems: 3,
    }),
  },
  closed,
);
export type KvCapability = Static<typeof KvCapability>;

/** The runtimes a bundle may ask for. */
export const Runtime = Type.Enum(["cs-js", "nodejs", "python", "go", "java", "image"]);

/** `manifest.json` of a bundle, schema `cs.function.script.v1` (SPEC 2). A missing section allows nothing. */
export const Manifest = Type.Object(
  {
    schema: Type.Literal("cs.function.script.v1"),
    runtime: Runtime,
    entry: Type.String({ minLength: 1, maxLength: 255, pattern: "^[a-zA-Z0-9._/-]+$" }),
    handler: Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z_$][A-Za-z0-9_$.]*$" }),
    limits: Type.Object(
      {
        timeoutMs: Type.Integer({ minimum: 1, maximum: 900_000 }),
        memoryMb: Type.Integer({ minimum: 16, maximum: 4096 }),
        maxConcurrency: Type.Integer({ minimum: 1, maximum: 100 }),
      },
      closed,
    ),
    capabilities: Type.Optional(
      Type.Object(
        {
          kv: Type.Optional(KvCapability),
          codeq: Type.Optional(Type.Object({ publishTopics: Type.Array(Prefix, { maxItems: 64 }) }, closed)),
          http: Type.Optional(
            Type.Object(
              {
                allowHosts: Type.Optional(Type.Array(Host, { maxItems: 128 })),
                allow: Type.Optional(HttpAllowList),
                timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 30_000 })),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    isolation: Type.Optional(Isolation),
    budgets: Type.Optional(ManifestBudgets),
  },
  closed,
);
export type Manifest = Static<typeof Manifest>;
export type Runtime = Static<typeof Runtime>;
