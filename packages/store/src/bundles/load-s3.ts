import type * as s3 from "@aws-sdk/client-s3";
import { PlatformError } from "@sous/contract";

export type S3 = typeof s3;

/** Loads the client on first use: who keeps bundles elsewhere never does. @throws CS_BUNDLES_UNAVAILABLE */
export async function loadS3(): Promise<S3> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    const message = "The client of S3 is missing: npm install @aws-sdk/client-s3";
    throw new PlatformError("CS_BUNDLES_UNAVAILABLE", message, { cause });
  }
}
