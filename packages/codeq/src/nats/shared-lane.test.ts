import assert from "node:assert/strict";
import { withNats } from "@sous/store/testing";
import type { ContractBody, ContractResult } from "../contract/index.ts";
import { SHARED_LANE_CAPACITY, testSharedLane } from "../remote/testing/test-shared-lane.ts";
import { createNatsCodeQ } from "./create-nats-codeq.ts";

withNats({}, (server) => {
  const open = () =>
    createNatsCodeQ<ContractBody, ContractResult>({
      url: server().url,
      clock: Date.now,
      onError: assert.fail,
    });
  // Nothing is known of the lane when a burst comes: all that fits is sent before a refusal can be heard.
  testSharedLane(open, SHARED_LANE_CAPACITY + 8);
});
