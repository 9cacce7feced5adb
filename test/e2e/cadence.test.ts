import { after, describe } from "node:test";
import { describeCadence } from "../support/cadence-suite.ts";
import { scratchFolder } from "../support/scratch.ts";

describe("activities of Cadence on an embedded platform", () => {
  const data = scratchFolder();
  describeCadence({ settings: () => ({ data: data.path }) });
  after(() => data[Symbol.dispose]());
});
