import { createParser } from "@sous/contract";
import Type, { type Static } from "typebox";

const Text = Type.Optional(Type.String({ maxLength: 4096 }));
const Count = Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 }));

/** A Lease of the API group `coordination.k8s.io/v1`, with the fields leader election looks at. */
export const LeaseObject = Type.Object({
  metadata: Type.Object({
    name: Type.String({ maxLength: 253 }),
    /** Opaque; an update of another one is a conflict. */
    resourceVersion: Text,
  }),
  spec: Type.Optional(
    Type.Object({
      holderIdentity: Text,
      leaseDurationSeconds: Count,
      acquireTime: Text,
      renewTime: Text,
      leaseTransitions: Count,
    }),
  ),
});
export type LeaseObject = Static<typeof LeaseObject>;
type KeptSpec = NonNullable<LeaseObject["spec"]>;
/** What is put into a Lease; `undefined` takes a field away. */
export type LeaseSpec = { [Field in keyof KeptSpec]: KeptSpec[Field] | undefined };

const parser = createParser(LeaseObject, "the Lease of the API server");

/** @throws CS_VALIDATION_FAILED for what is no Lease */
export const parseLease = (value: unknown): LeaseObject => parser.parse(value);

/** @returns a moment as `MicroTime` has it: six digits, neither more nor fewer */
export const microTime = (epochMs: number): string => new Date(epochMs).toISOString().replace("Z", "000Z");

/** @returns whether two specs say the same: nobody renewed in between */
export const isSameSpec = (a: KeptSpec | undefined, b: KeptSpec | undefined): boolean =>
  FIELDS.every((field) => a?.[field] === b?.[field]);

const FIELDS = [
  "holderIdentity",
  "leaseDurationSeconds",
  "acquireTime",
  "renewTime",
  "leaseTransitions",
] as const;
