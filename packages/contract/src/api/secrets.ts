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
