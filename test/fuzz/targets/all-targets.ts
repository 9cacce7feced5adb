import { FRAMES } from "./frames.ts";
import { HOST } from "./host.ts";
import { HTTP } from "./http.ts";
import { MANIFESTS } from "./manifest.ts";
import { TAR } from "./tar.ts";

/** Every target with how many cases a quick run tries, and its share of the time of a long one. */
export const FUZZ_TARGETS = [
  { target: FRAMES, quickCases: 2000, share: 0.25 },
  { target: HOST, quickCases: 12, share: 0.15 },
  { target: HTTP, quickCases: 250, share: 0.3 },
  { target: MANIFESTS, quickCases: 1500, share: 0.15 },
  { target: TAR, quickCases: 1500, share: 0.15 },
] as const;
