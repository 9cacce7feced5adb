import { describe, test } from "node:test";
import { activationSuite } from "./contract-suite/activation-suite.ts";
import { appendSuite } from "./contract-suite/append-suite.ts";
import { auditSuite } from "./contract-suite/audit-suite.ts";
import { functionSuite } from "./contract-suite/function-suite.ts";
import { journalSuite } from "./contract-suite/journal-suite.ts";
import { kvSuite } from "./contract-suite/kv-suite.ts";
import { logSuite } from "./contract-suite/log-suite.ts";
import { CONTRACT_STORE_OPTIONS, type OpenStore, type StoreTest } from "./contract-suite/open-store.ts";
import { publishSuite } from "./contract-suite/publish-suite.ts";
import { leaseSuite, scheduleSuite } from "./contract-suite/schedule-suite.ts";
import { resourceSuite } from "./contract-suite/resource-suite.ts";
import { secretSuite } from "./contract-suite/secret-suite.ts";
import { tokenSuite } from "./contract-suite/token-suite.ts";
import { transactionSuite } from "./contract-suite/transaction-suite.ts";

export { leaseSuite, scheduleSuite } from "./contract-suite/schedule-suite.ts";
export {
  CONTRACT_STORE_OPTIONS,
  type ContractStoreOptions,
  type OpenStore,
} from "./contract-suite/open-store.ts";

/**
 * The contract of the Store port as tests. Every driver runs it:
 * `describeStoreContract("sqlite", async (options) => …)`.
 */
export function describeStoreContract(name: string, open: OpenStore): void {
  const storeTest: StoreTest = (title, body) => {
    test(title, async () => {
      const { store, close } = await open(CONTRACT_STORE_OPTIONS);
      try {
        await body(store);
      } finally {
        await close();
      }
    });
  };
  describe(`${name} store: functions and aliases`, () => functionSuite(storeTest));
  describe(`${name} store: drafts and versions`, () => publishSuite(storeTest));
  describe(`${name} store: activations`, () => activationSuite(storeTest));
  describe(`${name} store: ends appended in groups`, () => appendSuite(storeTest));
  describe(`${name} store: logs`, () => logSuite(storeTest));
  describe(`${name} store: key-value data`, () => kvSuite(storeTest));
  describe(`${name} store: secrets`, () => secretSuite(storeTest));
  describe(`${name} store: schedules`, () => scheduleSuite(storeTest));
  describe(`${name} store: leases`, () => leaseSuite(storeTest));
  describe(`${name} store: resources`, () => resourceSuite(storeTest));
  describe(`${name} store: audit events`, () => auditSuite(storeTest));
  describe(`${name} store: tokens`, () => tokenSuite(storeTest));
  describe(`${name} store: queue journal`, () => journalSuite(storeTest));
  describe(`${name} store: transactions`, () => transactionSuite(storeTest));
}
