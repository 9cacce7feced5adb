import {
  LATEST_ALIAS,
  PlatformError,
  type RefTarget,
  createParser,
  AliasName,
  VersionNumber,
} from "@sous/contract";
import Type from "typebox";

const closed = { additionalProperties: false } as const;

const InvokeBody = Type.Object(
  {
    ref: Type.Optional(
      Type.Object({ alias: Type.Optional(AliasName), version: Type.Optional(VersionNumber) }, closed),
    ),
    mode: Type.Optional(Type.Enum(["sync", "async"])),
    event: Type.Optional(Type.Unknown()),
  },
  closed,
);
const parser = createParser(InvokeBody, "the body");

export interface InvokeBodyFields {
  mode: "sync" | "async";
  target: RefTarget | undefined;
  refText: string;
  eventJson: string;
}

/** Reads the body of `:invoke`. @throws CS_VALIDATION_FAILED */
export function parseInvokeBody(body: Buffer): InvokeBodyFields {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new PlatformError("CS_VALIDATION_FAILED", "the body is not JSON", { cause: error });
  }
  const { ref = {}, mode = "sync", event = null } = parser.parse(value);
  if (ref.alias !== undefined && ref.version !== undefined) {
    throw new PlatformError("CS_VALIDATION_FAILED", "ref names both an alias and a version; give one");
  }
  const eventJson = JSON.stringify(event);
  if (ref.version !== undefined) {
    return { mode, target: { version: ref.version }, refText: String(ref.version), eventJson };
  }
  const alias = ref.alias;
  const target = alias === undefined || alias === LATEST_ALIAS ? undefined : { alias };
  return { mode, target, refText: alias ?? LATEST_ALIAS, eventJson };
}
