import type { BuildOptions, BuildResult } from "esbuild";

export type Build = (options: BuildOptions & { write: false }) => Promise<BuildResult<{ write: false }>>;

/** Users of the bundler's one process; the last of them ends it. */
let users = 0;

/** Lends the bundler, which is loaded here only: with what it made before in the cache, a host starts without it. */
export async function withBundler<T>(use: (build: Build) => Promise<T>): Promise<T> {
  const { build, stop } = await import("esbuild");
  users++;
  try {
    return await use(build as Build);
  } finally {
    if (--users === 0) await stop();
  }
}
