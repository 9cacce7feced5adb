import { startPlatform } from "@sous/platform";

/** Serves a platform for a test: settings as JSON in the first argument, one line of JSON when it is up. */
const settings = JSON.parse(process.argv[2] ?? "{}") as Record<string, unknown>;
const flags = { host: "127.0.0.1", log_level: "error", "rate_limits.enabled": false, ...settings };
const platform = await startPlatform({ mode: "dev", flags, env: {} });
console.log(JSON.stringify({ url: platform.url, pid: process.pid, token: platform.firstToken }));
process.on("SIGTERM", () => {
  void platform.close().then(() => process.exit(0));
});
