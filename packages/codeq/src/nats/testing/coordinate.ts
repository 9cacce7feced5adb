import { createNatsCodeQ } from "../create-nats-codeq.ts";

/** A process that only has the queue open, for a test to kill or to stop: the first to come coordinates. */
const [url = ""] = process.argv.slice(2);
await createNatsCodeQ<unknown, unknown>({ url, clock: Date.now });
console.log("open");
setInterval(() => {}, 1000);
