import { PlatformError } from "@sous/contract";

/** Where in S3 bundles lie. */
export interface S3Place {
  bucket: string;
  /** Empty, or with a slash at its end. */
  prefix: string;
  /** A server of the protocol that is not AWS's. */
  endpoint: string | undefined;
  /** `undefined`: as the environment of the client says. */
  region: string | undefined;
  /** Whether the bucket stands in the path and not in the name of the host. */
  pathStyle: boolean;
}

const PARAMETERS = new Set(["endpoint", "region", "path_style"]);

/**
 * Reads `s3://BUCKET/PREFIX?endpoint=…&region=…&path_style=true|false`; with an endpoint the bucket stands in the path unless
 * told otherwise, as most servers that are not AWS's want it.
 * @throws CS_VALIDATION_FAILED
 */
export function parseS3Url(text: string): S3Place {
  if (!URL.canParse(text)) throw invalid("is no URL, as s3://BUCKET/PREFIX");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw invalid(
      "holds credentials; set s3.access_key_id and s3.secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  }
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname))
    throw invalid("names no bucket, as s3://BUCKET/PREFIX");
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.has(name))
      throw invalid(`has an unknown parameter ${name}; known: ${[...PARAMETERS].join(", ")}`);
  }
  const path = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, "");
  if (path.split("/").some((part) => part === "." || part === "..")) throw invalid("has a prefix with dots");
  const endpoint = url.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)) {
    throw invalid("has an endpoint that is none, as endpoint=https://s3.internal:9000");
  }
  const style = url.searchParams.get("path_style");
  if (style !== null && style !== "true" && style !== "false")
    throw invalid("takes path_style=true or false");
  return {
    bucket: url.hostname,
    prefix: path === "" ? "" : `${path}/`,
    endpoint,
    region: url.searchParams.get("region") ?? (endpoint === undefined ? undefined : "us-east-1"),
    pathStyle: style === null ? endpoint !== undefined : style === "true",
  };
}

const invalid = (problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `bundles: the URL of S3 ${problem}`);
