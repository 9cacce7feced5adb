import { withNats } from "@sous/store/testing";
import { describeOutages } from "../remote/testing/describe-outages.ts";
import { createNatsCodeQ } from "./create-nats-codeq.ts";

withNats({}, (server) => describeOutages(server, createNatsCodeQ));
