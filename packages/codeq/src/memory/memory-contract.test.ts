import { createMapJournal, describeCodeQContract } from "../contract/index.ts";
import { createMemoryCodeQ } from "./create-memory-codeq.ts";

describeCodeQContract("memory", (options) =>
  createMemoryCodeQ({ ...options, clock: Date.now, journal: createMapJournal(), leaseTickMs: 100 }),
);
