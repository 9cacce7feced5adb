import { createNatsCodeQ } from "../../nats/create-nats-codeq.ts";
import { createRedisCodeQ } from "../../redis/create-redis-codeq.ts";

/** A consumer in a process of its own for a test to kill: holds one message and says which. URL, topic and lease are arguments. */
const [url = "", topic = "", leaseMs = ""] = process.argv.slice(2);
const create = url.startsWith("nats") ? createNatsCodeQ : createRedisCodeQ;
const queue = await create<unknown, unknown>({ url, clock: Date.now });
let held = 0;
await queue.consume({
  topic,
  leaseMs: Number(leaseMs),
  capacity: () => 1 - held,
  accepts: () => true,
  deliver: ({ message }) => {
    held++;
    console.log(message.id);
  },
  onExpired: () => {},
});
setInterval(() => {}, 1000);
