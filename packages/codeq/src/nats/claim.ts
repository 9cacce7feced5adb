import { Claim, type ClaimOptions } from "../remote/claim.ts";

export interface NatsClaimOptions<Body> extends ClaimOptions<Body> {
  /** As the release of a claim, and says that its lane is to wait. */
  refuse: () => Promise<unknown>;
}

/** A claim whose coordinator also keeps which lanes were refused. */
export class NatsClaim<Body> extends Claim<Body> {
  readonly #refuse: () => Promise<unknown>;

  constructor(options: NatsClaimOptions<Body>) {
    super(options);
    this.#refuse = options.refuse;
  }

  refuse(): Promise<void> {
    return this.end(this.#refuse);
  }
}
