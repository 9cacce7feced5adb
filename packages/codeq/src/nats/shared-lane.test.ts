import assert from "node:assert/strict";
import { withNats } from "@sous/store/testing";
import type { ContractBody, ContractResult } from "../contract/index.ts";
import { testSharedLane } from "../remote/testing/test-shared-lane.ts";
import { createNatsCodeQ } from "./create-nats-codeq.ts";

withNats({}, (server) =>
  testSharedLane(() =>
    createNatsCodeQ<ContractBody, ContractResult>({
      url: server().url,
      clock: Date.now,
      onError: assert.fail,
    }),
  ),
);
