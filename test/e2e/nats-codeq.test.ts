import { createNatsCodeQ } from "@sous/codeq/nats";
import { missingNats, startNats } from "@sous/store/testing";
import { describeQueueServer } from "../support/queue-server-suite.ts";

describeQueueServer({
  name: "NATS",
  missing: missingNats(),
  start: () => startNats(),
  openQueue: (url) => createNatsCodeQ({ url, clock: Date.now }),
  scheme: "nats://me",
});
