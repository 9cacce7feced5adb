import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPlatform } from "@sous/platform";

/** The whole platform with local tokens, as `cs serve` runs it; settings as JSON in the first argument. */
const data = mkdtempSync(join(tmpdir(), "sous-bench-"));
const flags = {
  port: 0,
  data,
  auth: "local:",
  log_level: "warn",
  "rate_limits.enabled": false,
  ...(JSON.parse(process.argv[2] ?? "{}") as Record<string, unknown>),
};
const platform = await startPlatform({ mode: "serve", flags, env: {} });
console.log(JSON.stringify({ url: platform.url, token: platform.firstToken }));
process.on("SIGTERM", () => {
  void platform.close().then(() => {
    rmSync(data, { recursive: true, force: true });
    process.exit(0);
  });
});
