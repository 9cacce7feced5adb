import assert from "node:assert/strict";
import type { StoreTest } from "./open-store.ts";

const TENANT = "t_default";
const ID = "0b7b5e0c-6a5c-4d3a-9d0e-0d7a4c9a1f10";

/** Logs: numbered chunks in the order of writing. */
export function logSuite(storeTest: StoreTest): void {
  storeTest("chunks keep their order over many appends, awaited or not", async (store) => {
    const appends: Promise<void>[] = [];
    const expected: string[] = [];
    for (let n = 0; n < 20; n++) {
      const chunks = Array.from({ length: (n % 3) + 1 }, (_, line) => `${n}.${line}`);
      expected.push(...chunks);
      appends.push(store.logs.append(TENANT, ID, chunks));
    }
    await Promise.all(appends);
    assert.deepStrictEqual(await store.logs.read(TENANT, ID, 0, 1000), expected);
  });

  storeTest("any stretch of chunks can be read", async (store) => {
    await store.logs.append(TENANT, ID, ["0", "1", "2"]);
    await store.logs.append(TENANT, ID, ["3"]);
    await store.logs.append(TENANT, ID, ["4", "5"]);
    const cases = [
      [0, 2, ["0", "1"]],
      [1, 3, ["1", "2", "3"]],
      [2, 100, ["2", "3", "4", "5"]],
      [3, 1, ["3"]],
      [5, 10, ["5"]],
      [6, 10, []],
      [0, 0, []],
    ] as const;
    for (const [from, limit, chunks] of cases) {
      assert.deepStrictEqual(await store.logs.read(TENANT, ID, from, limit), chunks, `${from}+${limit}`);
    }
  });

  storeTest("text comes back as it was: line ends, quotes, unicode, nothing", async (store) => {
    const chunks = ['{"msg":"a\\nb"}', "line\r\nline", "👩‍🚀 ñ \u0000 \u2028", ""];
    await store.logs.append(TENANT, ID, chunks);
    await store.logs.append(TENANT, ID, []);
    assert.deepStrictEqual(await store.logs.read(TENANT, ID, 0, 10), chunks);
  });

  storeTest("logs of another activation or tenant are not mixed in", async (store) => {
    await store.logs.append(TENANT, ID, ["ours"]);
    await store.logs.append("t_other1", ID, ["theirs"]);
    assert.deepStrictEqual(await store.logs.read(TENANT, ID, 0, 10), ["ours"]);
    assert.deepStrictEqual(await store.logs.read("t_other1", ID, 0, 10), ["theirs"]);
    assert.deepStrictEqual(await store.logs.read(TENANT, ID.replace("0b", "0c"), 0, 10), []);
  });
}
