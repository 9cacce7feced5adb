import assert from "node:assert/strict";
import { withNats } from "@sous/store/testing";
import { type ContractBody, type ContractResult, describeCodeQContract } from "../contract/index.ts";
import { createNatsCodeQ } from "./create-nats-codeq.ts";

withNats({}, (server) =>
  describeCodeQContract(
    "nats",
    (options) =>
      createNatsCodeQ<ContractBody, ContractResult>({
        ...options,
        url: server().url,
        clock: Date.now,
        onError: assert.fail,
      }),
    { canLookUp: false },
  ),
);
