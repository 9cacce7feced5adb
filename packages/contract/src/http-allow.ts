import Type, { type Static } from "typebox";

const closed = { additionalProperties: false } as const;

/** A host of an allow-list: a name, `*.` and a name for its sub-domains, or an address. */
export const Host = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: "^(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*\\.?$|^\\[[0-9A-Fa-f:.]+\\]$",
});

/** The methods of calls out. */
export const HTTP_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** Calls to one host that a version may make. What is left out is not restricted, but for ports. */
export const HttpAllow = Type.Object(
  {
    host: Host,
    methods: Type.Optional(
      Type.Array(Type.Enum([...HTTP_METHODS]), { minItems: 1, maxItems: HTTP_METHODS.length }),
    ),
    paths: Type.Optional(
      Type.Array(Type.String({ pattern: "^/[^?#\\\\\\s]*$", maxLength: 256 }), {
        minItems: 1,
        maxItems: 16,
        description: "Whole paths; `*` stands for any characters, `/` among them: /v1/charges, /v1/users/*",
      }),
    ),
    ports: Type.Optional(
      Type.Array(
        Type.Union([Type.Literal(80), Type.Literal(443), Type.Integer({ minimum: 1024, maximum: 65_535 })]),
        { minItems: 1, maxItems: 16, description: "80 and 443, when left out" },
      ),
    ),
  },
  closed,
);
export type HttpAllow = Static<typeof HttpAllow>;

/** Rules by host, as manifests and version configs list them. */
export const HttpAllowList = Type.Array(HttpAllow, { maxItems: 64 });

/**
 * Whether a pattern of a path covers a path, or another pattern: its `*` may stand for one of the other's, so that
 * everything the other covers is covered. Takes time in proportion to both lengths.
 * @param path percent-encoded, as the URL parser writes it, without query
 */
export function coversPath(pattern: string, path: string): boolean {
  const [head = "", ...parts] = pattern.split("*");
  const tail = parts.pop();
  if (tail === undefined) return path === pattern;
  if (!path.startsWith(head)) return false;
  let at = head.length;
  // The leftmost place of each part leaves the most for those that follow.
  for (const part of parts) {
    const found = path.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return path.length - at >= tail.length && path.endsWith(tail);
}
