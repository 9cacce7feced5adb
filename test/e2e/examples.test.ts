import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runLocally } from "@sous/platform";
import { type Api, createApi, readFolder } from "../support/api.ts";
import { scratchFolder } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
/** Events of an example at once: one that takes its sandbox down must not be blamed on its neighbours. */
const AT_ONCE: Readonly<Record<string, number>> = { misbehaving: 1 };

/** Examples whose answer depends on what they wrote before. */
const REMEMBERING = new Set(["webhook-counter", "scheduled-report"]);
/** A dozen samples run until they are stopped; nobody has to wait three seconds for each. */
const HURRIED = { timeout_ms: 500, alias: "hurried" };

interface Sample {
  name: string;
  event: unknown;
  expect: { status: string; error_type?: string; statusCode?: number; body_contains?: string };
}

interface Outcome {
  status: string;
  result?: { statusCode: number; headers: Record<string, string>; body: string } | null;
  error?: { type: string; message: string };
}

const exampleNames = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

function samplesOf(example: string): Sample[] {
  const folder = join(EXAMPLES, example, "events");
  return readdirSync(folder).map((file) => ({
    name: file.replace(/\.json$/, ""),
    ...(JSON.parse(readFileSync(join(folder, file), "utf8")) as Omit<Sample, "name">),
  }));
}

/** What the event's file says must have come out. */
function check(outcome: Outcome, { expect }: Sample): void {
  const said = JSON.stringify(outcome).slice(0, 500);
  assert.equal(outcome.status, expect.status, said);
  if (expect.error_type !== undefined) assert.equal(outcome.error?.type, expect.error_type, said);
  if (expect.statusCode !== undefined) assert.equal(outcome.result?.statusCode, expect.statusCode, said);
  if (expect.body_contains !== undefined) {
    assert.ok(
      outcome.result?.body.includes(expect.body_contains),
      `${expect.body_contains} is not in ${said}`,
    );
  }
}

/** Runs something for each item, so many at once. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  use: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await use(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

describe("the examples", () => {
  const data = scratchFolder();
  let server: TestServer;
  let api: Api;

  before(async () => {
    server = await startServer({ settings: { data: data.path } });
    api = createApi(server.url);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  for (const example of exampleNames) {
    test(`${example} does on the server what its events say`, async () => {
      const samples = samplesOf(example);
      assert.ok(samples.length > 0, "an example has events");
      const files = readFolder(join(EXAMPLES, example));
      await api.deploy({ name: example, files });
      const { alias, ...config } = HURRIED;
      await api.publish({ name: example, files, config, alias });
      await eachOf(samples, AT_ONCE[example] ?? 4, async (sample) => {
        try {
          const ref = { alias: sample.expect.status === "timeout" ? alias : "prod" };
          check(await api.invoke(example, sample.event, { ref }), sample);
        } catch (cause) {
          throw new Error(`${example}/${sample.name}`, { cause });
        }
      });
    });
  }

  test("`fn test` gives the same answers without a server", async () => {
    // Quick ones only: what runs into its timeout or its memory does so in either place.
    const quick = exampleNames
      .filter((name) => name !== "misbehaving")
      .flatMap((example) => samplesOf(example).map((sample) => ({ example, sample })));
    const caught = samplesOf("misbehaving")
      .filter(({ name }) => ["caught", "denied-key", "throw", "bad-result", "escape"].includes(name))
      .map((sample) => ({ example: "misbehaving", sample }));
    await eachOf([...quick, ...caught], 2, async ({ example, sample }) => {
      const local = await runLocally({ folder: join(EXAMPLES, example), name: example, event: sample.event });
      try {
        check(local, sample);
        const remote = await api.invoke(example, sample.event);
        assert.equal(local.status, remote.status);
        assert.equal(local.error?.type, remote.error?.type);
        assert.equal(local.error?.message, remote.error?.message);
        assert.equal(local.result?.statusCode, remote.result?.statusCode);
        if (REMEMBERING.has(example)) return;
        assert.deepEqual(JSON.parse(JSON.stringify(local.result ?? null)), remote.result);
      } catch (cause) {
        throw new Error(`${example}/${sample.name}`, { cause });
      }
    });
  });
});
