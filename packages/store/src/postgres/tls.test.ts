import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type PostgresServer, startPostgres } from "../testing/index.ts";
import { createPostgresStore } from "./postgres-store.ts";
import { describeWithPostgres } from "./testing/with-postgres.ts";

describeWithPostgres("TLS to PostgreSQL", () => {
  let server: PostgresServer;
  let certificate: string;

  before(async () => {
    server = await startPostgres();
    certificate = join(server.folder, "server.crt");
    const key = join(server.folder, "server.key");
    const name = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"];
    const files = ["-keyout", key, "-out", certificate];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...name, ...files],
      {
        stdio: "ignore",
      },
    );
    const { uid, gid } = statSync(server.folder);
    // The server runs as another user, and the umask may be 077.
    for (const file of [key, certificate]) chownSync(file, uid, gid);
    await server.restart({ ssl: "on", ssl_cert_file: certificate, ssl_key_file: key });
  });
  after(() => server[Symbol.asyncDispose]());

  test("is spoken as the URL says, and a certificate that does not fit is refused", async () => {
    const { url, name } = server.database();
    const isEncrypted = (): string =>
      server.sql(
        name,
        "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'sous'",
      );
    for (const [query, encrypted] of [
      ["sslmode=disable", "f"],
      ["sslmode=require", "t"],
      [`sslmode=verify-full&sslrootcert=${certificate}`, "t"],
      [`sslrootcert=${certificate}`, "t"],
    ] as const) {
      await using store = await createPostgresStore({ url: `${url}?${query}` });
      await store.check();
      assert.equal(isEncrypted(), encrypted, query);
    }
    const elsewhere = url.replace("127.0.0.1", "localhost");
    for (const [base, query] of [
      [url, "sslmode=verify-full"],
      [elsewhere, `sslmode=verify-full&sslrootcert=${certificate}`],
    ]) {
      await assert.rejects(createPostgresStore({ url: `${base}?${query}` }), {
        code: "CS_STORE_UNAVAILABLE",
        message: /certificate|altnames/i,
      });
    }
    await using store = await createPostgresStore({
      url: `${elsewhere}?sslmode=verify-ca&sslrootcert=${certificate}`,
    });
    await store.check();
  });
});
