import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DEPLOY = join(ROOT, "deploy");

/** The part of the Compose specification that the file uses; anything else in it fails the test below. */
interface Service {
  image: string;
  build?: { context: string; dockerfile: string };
  profiles: string[];
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  volumes?: string[];
  deploy?: { replicas: number };
  healthcheck?: { test: string[]; interval: string; timeout: string; retries: number };
  init?: boolean;
  read_only?: boolean;
  tmpfs?: string[];
  cap_drop?: string[];
  security_opt?: string[];
  restart?: string;
  stop_grace_period?: string;
}
interface Compose {
  name: string;
  services: Record<string, Service>;
  volumes: Record<string, null>;
}

const KNOWN = new Set([
  "image",
  "build",
  "profiles",
  "command",
  "environment",
  "depends_on",
  "ports",
  "volumes",
  "deploy",
  "healthcheck",
  "init",
  "read_only",
  "tmpfs",
  "cap_drop",
  "security_opt",
  "restart",
  "stop_grace_period",
]);
const PROFILES = ["single", "redis", "postgres", "full"] as const;

const compose = parse(readFileSync(join(DEPLOY, "compose/compose.yaml"), "utf8"), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const inProfile = (profile: string): [string, Service][] =>
  services.filter(([, service]) => service.profiles.includes(profile));
const ours = services.filter(([, { image }]) => image === "sous");

test("every service has known fields of the right shape, and a profile", () => {
  for (const [name, service] of services) {
    assert.deepEqual(
      Object.keys(service).filter((field) => !KNOWN.has(field)),
      [],
      name,
    );
    assert.ok(service.profiles.length > 0, `${name} has a profile`);
    for (const profile of service.profiles)
      assert.ok((PROFILES as readonly string[]).includes(profile), profile);
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+(-\d+)?:\d+$/, name);
    for (const [key, value] of Object.entries(service.environment ?? {})) {
      assert.equal(typeof value, "string", `${name} ${key}`);
    }
    for (const volume of service.volumes ?? []) {
      assert.ok(Object.hasOwn(compose.volumes, volume.split(":")[0] ?? ""), `${name} ${volume}`);
    }
  }
});

test("in each profile everything a service waits for is there, and can be found healthy", () => {
  for (const profile of PROFILES) {
    const present = new Map(inProfile(profile));
    assert.ok(present.size > 0, profile);
    for (const [name, service] of present) {
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        assert.equal(condition, "service_healthy");
        assert.ok(present.get(other)?.healthcheck, `${name} waits for ${other} in ${profile}`);
      }
      for (const value of Object.values(service.environment ?? {})) {
        const host = /^(?:redis|postgres):\/\/(?:[^@]*@)?([a-z]+):/.exec(value)?.[1];
        if (host !== undefined) assert.ok(present.has(host), `${name} reaches ${host} in ${profile}`);
      }
    }
    const ports = [...present.values()].flatMap(({ ports: own = [] }) => own);
    assert.equal(new Set(ports).size, ports.length, `ports of ${profile} do not collide`);
  }
});

test("the profile full has the roles apart, each as often as it must not fail", () => {
  const roles = inProfile("full").flatMap(([, { command = [], deploy }]) => {
    const at = command.indexOf("--role");
    return at < 0 ? [] : [`${command[at + 1]} ${deploy?.replicas ?? 1}`];
  });
  assert.deepEqual(roles.toSorted(), [
    "control 1",
    "event-sources 2",
    "gateway 2",
    "invoker 2",
    "scheduler 2",
  ]);
});

test("no process of ours may write its root, gain rights or keep any", () => {
  for (const [name, service] of ours) {
    assert.equal(service.read_only, true, name);
    assert.deepEqual(service.cap_drop, ["ALL"], name);
    assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
    assert.ok(
      service.tmpfs?.some((mount) => mount.startsWith("/tmp:")),
      name,
    );
  }
});

test("settings in the environment are settings of the platform", async () => {
  const { readEnvironmentLayer } = await import("../../packages/platform/src/config/config-layers.ts");
  const plain: Record<string, string> = {
    SOUS_SECRETS_KEY: "",
    SOUS_DB_PASSWORD: "x",
    SOUS_BUNDLES: "store:",
    SOUS_S3_ACCESS_KEY_ID: "a",
    SOUS_S3_SECRET_ACCESS_KEY: "b",
  };
  for (const [name, { environment = {} }] of ours) {
    const given = Object.entries(environment).map(([key, value]) => [
      key,
      value.replaceAll(
        /\$\{(\w+)(?::-([^}]*))?\}/g,
        (_, variable: string, other = "") => plain[variable] || other,
      ),
    ]);
    assert.doesNotThrow(
      () => readEnvironmentLayer(Object.fromEntries(given) as Record<string, string>),
      name,
    );
  }
});

test("the image copies what is there, runs as nobody, and names only ordinary images", () => {
  const dockerfile = readFileSync(join(DEPLOY, "Dockerfile"), "utf8");
  const images = [
    ...[...dockerfile.matchAll(/^ARG \w+_IMAGE=(\S+)$/gm)].map(([, image = ""]) => image),
    ...services.map(([, { image }]) => image),
  ];
  for (const image of images) assert.match(image, /^[a-z]+(:[\w.-]+)?$/, `${image} names no host`);
  for (const [, sources = ""] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const source of sources.split(" ")) readAnything(join(ROOT, source));
  }
  assert.match(dockerfile, /^USER \d{4,}:\d{4,}$/m);
  assert.match(
    dockerfile,
    /^ENTRYPOINT \["\/opt\/sous\/node_modules\/\.bin\/node", "\/opt\/sous\/bin\/cs\.js"\]$/m,
  );
});

function readAnything(path: string): void {
  try {
    readFileSync(path);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EISDIR", path);
  }
}
