import Type, { type Static, type TSchema } from "typebox";
import { LIMITS } from "../limits.ts";

const closed = { additionalProperties: false } as const;

const pageFields = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: LIMITS.pageSizeMax,
      description: `Most items of one page (${LIMITS.pageSizeDefault})`,
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: LIMITS.cursorLengthMax,
      description: "`next_cursor` of the page before; leave it out for the first page",
    }),
  ),
};

/** The query of every cursor-paged list. */
export const PageQuery = Type.Object(pageFields, closed);
export type PageQuery = Static<typeof PageQuery>;

/** The query of a list that takes more than a page: the page's fields and the given ones. */
export const pageQueryWith = <P extends Record<string, TSchema>>(fields: P) =>
  Type.Object({ ...pageFields, ...fields }, closed);

/** The answer of every cursor-paged list of SPEC 6. */
export const pageOf = <S extends TSchema>(item: S) =>
  Type.Object({ items: Type.Array(item), next_cursor: Type.Union([Type.String(), Type.Null()]) }, closed);

/** The answer to every DELETE of the control API. */
export const DeletedReply = Type.Object({ status: Type.Literal("deleted") }, closed);
export type DeletedReply = Static<typeof DeletedReply>;
