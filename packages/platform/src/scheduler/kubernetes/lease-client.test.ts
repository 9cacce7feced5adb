import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { PlatformError } from "@sous/contract";
import { startKubernetesApi } from "../testing/kubernetes-api.ts";
import { createLeaseClient } from "./lease-client.ts";
import { microTime } from "./lease-object.ts";

const NAMED = { namespace: "sous", name: "leader" };
const folder = mkdtempSync(join(tmpdir(), "lease-client-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const isUnavailable = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PlatformError);
  assert.deepEqual([error.code, error.status], ["CS_SCHEDULER_LEADER_UNAVAILABLE", 503]);
  assert.match(error.message, pattern);
  return true;
};

function certify(name: string): { key: string; cert: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const about = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const options = [
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    ...about,
    "-keyout",
    key,
    "-out",
    cert,
  ];
  execFileSync("openssl", options, { stdio: "ignore" });
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

describe("a client of one Lease", () => {
  test("shows the token of its service account as it is now, and believes the authority beside it alone", async () => {
    const tls = certify("server");
    await using api = await startKubernetesApi({ tls });
    await using client = createLeaseClient({ ...NAMED, api: api.url, serviceAccount: folder });
    await assert.rejects(client.get(), isUnavailable(/self-signed certificate/));
    writeFileSync(join(folder, "ca.crt"), certify("another").cert);
    await assert.rejects(client.get(), isUnavailable(/certificate/));
    writeFileSync(join(folder, "ca.crt"), tls.cert);
    assert.equal(await client.get(), undefined);
    api.requireToken("first");
    await assert.rejects(client.get(), isUnavailable(/does not know this service account \(401\)/));
    writeFileSync(join(folder, "token"), "first\n");
    assert.equal(await client.get(), undefined);
    api.requireToken("second");
    writeFileSync(join(folder, "token"), "second\n");
    assert.ok((await client.create({ holderIdentity: "me", leaseTransitions: 1 })) !== undefined);
  });

  test("tells a conflict from a fault, and never shows the token", async () => {
    await using api = await startKubernetesApi();
    await using client = createLeaseClient({ ...NAMED, api: api.url, serviceAccount: "/nowhere" });
    const made = await client.create({ holderIdentity: "me" });
    assert.ok(made !== undefined);
    assert.equal(await client.create({ holderIdentity: "me" }), undefined);
    assert.ok((await client.update(made, { renewTime: microTime(1_750_000_000_123) })) !== undefined);
    assert.equal(api.lease("sous/leader")?.spec["renewTime"], "2025-06-15T15:06:40.123000Z");
    assert.equal(await client.update(made, { holderIdentity: "late" }), undefined);
    api.remove("sous/leader");
    assert.equal(await client.update(made, { holderIdentity: "late" }), undefined);
    await assert.rejects(client.create({ leaseDurationSeconds: 0 }), isUnavailable(/422.*greater than 0/));
    writeFileSync(join(folder, "token"), "hunter2");
    await using other = createLeaseClient({ ...NAMED, api: api.url, serviceAccount: folder });
    api.failWith(403);
    await assert.rejects(other.get(), (error: Error) => {
      assert.doesNotMatch(JSON.stringify([error.message, error]), /hunter2/);
      return isUnavailable(/403/)(error);
    });
  });

  test("takes the namespace of its service account where none was named", async () => {
    await using api = await startKubernetesApi();
    const options = { ...NAMED, namespace: "", api: api.url };
    await using lost = createLeaseClient({ ...options, serviceAccount: "/nowhere" });
    await assert.rejects(lost.get(), isUnavailable(/set kubernetes\.namespace/));
    writeFileSync(join(folder, "namespace"), "elsewhere");
    await using client = createLeaseClient({ ...options, serviceAccount: folder });
    await client.create({ holderIdentity: "me" });
    assert.ok(api.lease("elsewhere/leader") !== undefined);
  });

  test("gives a server up that is away, does not answer, or answers no Lease", async () => {
    await using away = createLeaseClient({ ...NAMED, api: "http://127.0.0.1:1", serviceAccount: "/nowhere" });
    await assert.rejects(away.get(), isUnavailable(/sous\/leader.*ECONNREFUSED/));
    await using api = await startKubernetesApi();
    api.put("sous/leader", { leaseTransitions: "many" });
    await using client = createLeaseClient({ ...NAMED, api: api.url, serviceAccount: "/nowhere" });
    await assert.rejects(client.get(), isUnavailable(/leaseTransitions/));
  });
});
