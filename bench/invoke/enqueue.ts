import { fileURLToPath } from "node:url";
import { type BesideEcho, besideEcho } from "../measure/beside-echo.ts";
import { deploy } from "../measure/deploy.ts";
import { startServer } from "../measure/server-process.ts";
import { HELLO_CODE, postScript } from "../measure/workload.ts";

const PLATFORM = fileURLToPath(new URL("../servers/platform.ts", import.meta.url));

/** Measures the acknowledgement of queued calls on the embedded platform, whose consumers are paused. */
export async function measureEnqueue(options: { rounds: number; seconds: number }): Promise<BesideEcho> {
  const paused = { "limits.inflight_max": 0, "limits.async_depth_max": 100_000_000 };
  await using platform = await startServer(PLATFORM, [JSON.stringify(paused)]);
  const { url = "", token = "" } = platform.hello;
  await deploy({ url, token, name: "hello", code: HELLO_CODE });
  const script = postScript({ authorization: `Bearer ${token}` });
  const { figures } = await besideEcho({ url: `${url}/v1/functions/hello:enqueue`, script }, options);
  return figures;
}
