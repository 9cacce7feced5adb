/**
 * Builds the image and starts every profile of the compose file in a Docker engine of its own, over images made here.
 * Opt-in, as it takes minutes and root: `SOUS_TEST_DOCKER=1 npm test -- test/deploy`.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startS3 } from "@sous/store/testing";
import { parse } from "yaml";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { type ComposeProfile, openProfile } from "../support/compose-profile.ts";
import { type DockerEngine, missingDocker, startDocker } from "../support/docker-engine.ts";
import { makeStandIns, STAND_INS } from "../support/stand-in-images.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUILD_TIMEOUT_MS = 540_000;
const PROFILE_TIMEOUT_MS = 180_000;
const READY_PATIENCE_MS = 90_000;
/** Of what the image adds to its base; 231 MB when it was set. */
const ADDED_BYTES_MAX = 270e6;

/** As the compose file has it. */
const RUN = ["run", "--rm", "--init", "--read-only", "--tmpfs", "/tmp:mode=1777,size=256m"];
const CLOSED = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"];
const NAMESPACES = ["--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"];

const ECHO = {
  name: "echo",
  files: {
    "manifest.json": manifest({ limits: { timeoutMs: 20_000 } }),
    "function.js": `export default async (event) => {
      await new Promise((resolve) => setTimeout(resolve, event.waitMs ?? 0));
      return { statusCode: 200, body: "heard " + event.word };
    };`,
  },
};

test("a stand-in is made for every image that the Dockerfile and the compose file take from a registry", () => {
  const dockerfile = readFileSync(`${ROOT}/deploy/Dockerfile`, "utf8");
  const compose = parse(readFileSync(`${ROOT}/deploy/compose/compose.yaml`, "utf8"), { merge: true }) as {
    services: Record<string, { image: string }>;
  };
  const named = [
    ...[...dockerfile.matchAll(/^ARG \w+_IMAGE=(\S+)$/gm)].map(([, image = ""]) => image),
    ...Object.values(compose.services).map(({ image }) => image),
  ].filter((image) => image !== "sous");
  assert.deepEqual([...new Set(named)].toSorted(), Object.keys(STAND_INS).toSorted());
});

if (process.env["SOUS_TEST_DOCKER"] === "1") {
  describe("in containers", () => {
    let engine: DockerEngine;

    before(
      async () => {
        assert.equal(missingDocker(), undefined);
        engine = await startDocker();
        await makeStandIns(engine);
        const registry = process.env["NPM_CONFIG_REGISTRY"];
        const args = registry === undefined ? [] : ["--build-arg", `NPM_CONFIG_REGISTRY=${registry}`];
        const build = ["build", "--network", "host", "--file", `${ROOT}/deploy/Dockerfile`, ...args];
        await engine.docker(...build, "--tag", "sous", ROOT);
      },
      { timeout: BUILD_TIMEOUT_MS },
    );
    after(async () => await engine?.[Symbol.asyncDispose](), { timeout: 60_000 });

    test("the image holds what runs, and what Node compiled of it", async (context) => {
      const size = async (image: string): Promise<number> =>
        Number(await engine.docker("image", "inspect", "--format", "{{.Size}}", image));
      const added = (await size("sous")) - (await size("debian:bookworm-slim"));
      context.diagnostic(`${Math.round(added / 1e6)} MB over its base`);
      assert.ok(added < ADDED_BYTES_MAX, `${added} bytes over its base`);

      const shell = ["--env", "NODE_DEBUG_NATIVE=COMPILE_CACHE", "--entrypoint", "sh", "sous", "-c"];
      const program = "/opt/sous/node_modules/.bin/node /opt/sous/bin/cs.js config print 2>&1";
      const told = await engine.docker(...RUN, ...CLOSED, ...shell, program);
      assert.match(told, /packages\/cli\/src\/main\.ts was accepted/);
    });

    test("hosts are closed with no right and all filters of a container", async () => {
      const { level, missing } = await askDoctor(engine, CLOSED);
      assert.equal(level, "closed");
      assert.ok(missing.includes("network namespace"), missing.join());
    });

    test("hosts are closed by namespaces where the container may make them, without another right", async () => {
      const { level, missing } = await askDoctor(engine, [...CLOSED, ...NAMESPACES]);
      assert.equal(level, "closed");
      assert.deepEqual(
        missing.filter((layer) => !layer.startsWith("cgroup")),
        ["own user"],
      );
    });

    test(
      "one process: nobody's, on a root it cannot write; it ends its work before it stops, and finds it again",
      { timeout: PROFILE_TIMEOUT_MS },
      async () => {
        await using profile = await openProfile(engine, "single", {});
        await profile.up();
        const api = await apiOf(profile, "single");
        await callOne(api);

        const [id = ""] = await profile.containers("single");
        assert.equal((await engine.docker("exec", id, "id", "-u")).trim(), "10001");
        for (const path of ["/here", "/opt/sous/here", "/opt/sous/node_modules/.cache/here"]) {
          await assert.rejects(engine.docker("exec", id, "touch", path), /Read-only file system/);
        }
        const health = async (): Promise<string> =>
          (await engine.docker("inspect", "--format", "{{.State.Health.Status}}", id)).trim();
        await until(async () => (await health()) === "healthy", "the health check passes", 60_000);

        const answered = api.invoke("echo", { word: "last", waitMs: 5000 });
        const queued = await enqueue(api, { word: "queued", waitMs: 3000 });
        await until(async () => (await api.activation(queued)).status === "running", "both run");
        await engine.docker("stop", "--time", "30", id);
        assert.equal((await answered).result?.body, "heard last");
        assert.equal((await engine.docker("inspect", "--format", "{{.State.ExitCode}}", id)).trim(), "0");

        await engine.docker("start", id);
        await ready(8080);
        assert.equal((await api.invoke("echo", { word: "again" })).result?.body, "heard again");
        await succeeds(api, queued);
      },
    );

    for (const name of ["redis", "postgres"]) {
      test(`profile ${name}`, { timeout: PROFILE_TIMEOUT_MS }, async () => {
        await using profile = await openProfile(engine, name, {});
        await profile.up();
        await callOne(await apiOf(profile, `on-${name}`));
      });
    }

    test("profile full: roles apart, bundles in S3", { timeout: PROFILE_TIMEOUT_MS }, async () => {
      await using stack = new AsyncDisposableStack();
      const env: Record<string, string> = {
        SOUS_SECRETS_KEY: randomBytes(32).toString("base64"),
        SOUS_DB_PASSWORD: "not-the-default",
      };
      const servers = stack.use(await openProfile(engine, "full", env));
      await servers.up("redis", "postgres");
      const gateway = "{{(index .IPAM.Config 0).Gateway}}";
      const address = await engine.docker("network", "inspect", "--format", gateway, "sous_default");
      const s3 = stack.use(await startS3(address.trim()));

      env["SOUS_BUNDLES"] = s3.url("sous");
      env["SOUS_S3_ACCESS_KEY_ID"] = s3.credentials.accessKeyId;
      env["SOUS_S3_SECRET_ACCESS_KEY"] = s3.credentials.secretAccessKey;
      await servers.up();
      for (const port of [8081, 8082, 8083, 8084]) await ready(port);
      await callOne(await apiOf(servers, "control", ["http://127.0.0.1:8081", "http://127.0.0.1:8082"]));
      for (const role of ["invoker", "scheduler"]) {
        const containers = await servers.containers(role);
        assert.equal(containers.length, 2, role);
      }
    });
  });
}

/** Deploys a function and calls it twice, so that each of two gateways is asked, and once without waiting. */
async function callOne(api: Api): Promise<void> {
  await api.deploy(ECHO);
  for (const word of ["one", "two"]) {
    assert.equal((await api.invoke("echo", { word })).result?.body, `heard ${word}`);
  }
  await succeeds(api, await enqueue(api, { word: "three" }));
}

/** @returns the id of the activation */
async function enqueue(api: Api, event: unknown): Promise<string> {
  const response = await api.enqueue("echo", event);
  assert.equal(response.status, 202);
  return ((await response.json()) as { activation_id: string }).activation_id;
}

async function succeeds(api: Api, id: string): Promise<void> {
  await until(async () => (await api.activation(id)).status === "success", "what was queued ran", 60_000);
}

/** Waits until a platform answers, and takes its first token from what it printed. */
async function apiOf(
  profile: ComposeProfile,
  service: string,
  gateways: readonly string[] = ["http://127.0.0.1:8080"],
): Promise<Api> {
  await ready(8080).catch(async (error: unknown) => {
    throw new Error(`${service} is not ready: ${(await profile.logs(service)).slice(-2000)}`, {
      cause: error,
    });
  });
  const [, token] = /token\s+(sous_\S+)/.exec(await profile.logs(service)) ?? [];
  return createApi("http://127.0.0.1:8080", token, gateways);
}

async function ready(port: number): Promise<void> {
  const isReady = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(isReady, `port ${port} is ready`, READY_PATIENCE_MS);
}

async function askDoctor(
  engine: DockerEngine,
  rights: readonly string[],
): Promise<{ level: string; missing: string[] }> {
  const said = await engine.docker(...RUN, ...rights, "sous", "doctor", "--json");
  const { level, checks } = JSON.parse(said) as {
    level: string;
    checks: { name: string; hint?: string }[];
  };
  const { hint = "" } = checks.find(({ name }) => name === "closed by the OS") ?? {};
  return { level, missing: hint.replace("missing for strict: ", "").split(", ") };
}
