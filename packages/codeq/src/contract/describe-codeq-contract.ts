import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deadLetterContract } from "./dead-letter-contract.ts";
import { deadLetterBoundsContract } from "./dead-letter-bounds-contract.ts";
import { depthContract } from "./depth-contract.ts";
import { discardContract } from "./discard-contract.ts";
import { fairnessContract } from "./fairness-contract.ts";
import type { OpenCodeQ } from "./harness.ts";
import { leaseContract } from "./lease-contract.ts";
import { lookupContract } from "./lookup-contract.ts";
import { orderContract } from "./order-contract.ts";
import { replyContract } from "./reply-contract.ts";

/**
 * Declares the tests every driver of the queue must pass. They use topics and ids of their own, so queues of
 * one engine may share it, and wait for what a remote engine does later.
 *
 * @param name the driver, for the report
 * @param open opens a queue that keeps durable messages; each test disposes of its own
 * @param canLookUp whether messages can be looked up in it
 */
export function describeCodeQContract(name: string, open: OpenCodeQ, { canLookUp = true } = {}): void {
  describe(`codeQ contract: ${name}`, () => {
    describe("order", () => orderContract(open));
    describe("depth", () => depthContract(open));
    describe("fairness", () => fairnessContract(open));
    describe("leases", () => leaseContract(open));
    describe("dead letters", () => deadLetterContract(open));
    describe("bounds of dead letters", () => deadLetterBoundsContract(open));
    describe("discarding", () => discardContract(open));
    describe("replies", () => replyContract(open));
    if (canLookUp) describe("lookup", () => lookupContract(open));
    else
      test("offers no lookup", async () => {
        await using queue = await open();
        assert.equal(queue.lookup, undefined);
      });
  });
}
