import { withRedis } from "@sous/store/testing";
import { describeOutages } from "../remote/testing/describe-outages.ts";
import { createRedisCodeQ } from "./create-redis-codeq.ts";

withRedis({ durable: true }, (server) => describeOutages(server, createRedisCodeQ));
