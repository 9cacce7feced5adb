export { describeCodeQContract } from "./describe-codeq-contract.ts";
export { type ContractBody, type ContractCodeQ, type ContractResult, type OpenCodeQ } from "./harness.ts";
export { createMapJournal, type MapJournal } from "./map-journal.ts";
export { createVirtualTime, type VirtualTime } from "./virtual-time.ts";
