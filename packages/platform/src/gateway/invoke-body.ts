import {
  LATEST_ALIAS,
  PlatformError,
  type RefTarget,
  createParser,
  AliasName,
  DelayMs,
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
    delay_ms: DelayMs,
    event: Type.Optional(Type.Unknown()),
  },
  closed,
);
const parser = createParser(InvokeBody, "the body");

export interface InvokeBodyFields {
  mode: "sync" | "async";
  /** Of an asynchronous call, where it is to wait. */
  delayMs: number | undefined;
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
  const { ref = {}, mode = "sync", event = null, delay_ms: delayMs } = parser.parse(value);
  if (delayMs !== undefined && mode === "sync") {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      "delay_ms needs mode async: somebody waits for this call",
    );
  }
  if (ref.alias !== undefined && ref.version !== undefined) {
    throw new PlatformError("CS_VALIDATION_FAILED", "ref names both an alias and a version; give one");
  }
  const eventJson = JSON.stringify(event);
  if (ref.version !== undefined) {
    return { mode, delayMs, target: { version: ref.version }, refText: String(ref.version), eventJson };
  }
  const alias = ref.alias;
  const target = alias === undefined || alias === LATEST_ALIAS ? undefined : { alias };
  return { mode, delayMs, target, refText: alias ?? LATEST_ALIAS, eventJson };
}
