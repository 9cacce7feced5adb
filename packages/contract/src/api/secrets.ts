import Type, { type Static } from "typebox";
import { LIMITS } from "../limits.ts";
import { SecretRecord } from "../records.ts";
import { pageOf } from "./paging.ts";

/** Body of `PUT …/secrets/{name}`. The value never comes back. */
export const PutSecretBody = Type.Object(
  {
    value: Type.String({
      minLength: 1,
      description: `The value: text of at most ${LIMITS.secretBytesMax} bytes in UTF-8`,
      writeOnly: true,
    }),
  },
  { additionalProperties: false },
);
export type PutSecretBody = Static<typeof PutSecretBody>;

/** Answer of `GET …/secrets`: by name, ascending. */
export const SecretPage = pageOf(SecretRecord);
export type SecretPage = Static<typeof SecretPage>;

/** Body of `POST /v1/secrets:rekey`. */
export const RekeyBody = Type.Object(
  {
    new_key: Type.Optional(
      Type.Boolean({ description: "Make a new key first, where the key is a file of the platform's" }),
    ),
    cursor: Type.Optional(Type.String({ maxLength: 2048, description: "`next_cursor` of the part before" })),
  },
  { additionalProperties: false },
);
export type RekeyBody = Static<typeof RekeyBody>;

const UnreadableSecret = Type.Object(
  {
    tenant: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    key_id: Type.String(),
    message: Type.String(),
  },
  { additionalProperties: false },
);
/** A secret that no key of this platform opens. */
export type UnreadableSecret = Static<typeof UnreadableSecret>;

/** Answer of `POST /v1/secrets:rekey`: a part of the walk over all secrets. */
export const RekeyReply = Type.Object(
  {
    key_id: Type.String({ description: "The current key" }),
    seen: Type.Integer({ minimum: 0 }),
    resealed: Type.Integer({ minimum: 0, description: "Of these, encrypted anew now" }),
    unreadable: Type.Array(UnreadableSecret),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "null: that was the last part" }),
  },
  { additionalProperties: false },
);
export type RekeyReply = Static<typeof RekeyReply>;
