import type { S3Client } from "@aws-sdk/client-s3";
import { LIMITS, PlatformError } from "@sous/contract";
import { bundlesUnavailable } from "./bundle-failure.ts";
import { type BundleStore, isSha256 } from "./bundle-store.ts";
import { loadS3, type S3 } from "./load-s3.ts";
import { parseS3Url, type S3Place } from "./s3-url.ts";

export interface S3BundlesOptions {
  /** `s3://BUCKET/PREFIX?endpoint=…&region=…`; the bucket must exist. */
  url: string;
  /** (as the client finds them: the environment, a profile, the machine's role) */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  /** Most bytes of a bundle (LIMITS.bundleBytesMax). */
  bytesMax?: number | undefined;
  /** How long one operation may take with all its tries, milliseconds (15 000). */
  timeoutMs?: number | undefined;
  /** The clock, epoch milliseconds (`Date.now`). */
  now?: (() => number) | undefined;
}

const TIMEOUT_MS = 15_000;
const CONNECT_MS = 2000;
const TRIES = 3;

/**
 * Opens bundles in a bucket of S3 or of a server that speaks its protocol. Nothing is asked of the server before the first
 * use: a platform starts without it.
 * @throws CS_VALIDATION_FAILED for a URL that cannot be
 */
export async function createS3Bundles(options: S3BundlesOptions): Promise<BundleStore> {
  const place = parseS3Url(options.url);
  const s3 = await loadS3();
  const client = new s3.S3Client({
    ...(place.region === undefined ? {} : { region: place.region }),
    ...(place.endpoint === undefined ? {} : { endpoint: place.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: place.pathStyle,
    maxAttempts: TRIES,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: options.timeoutMs ?? TIMEOUT_MS },
    // Servers that are not AWS's know the older checksums only, and bundles have one of their own.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  return new S3Bundles(s3, client, place, options);
}

class S3Bundles implements BundleStore {
  readonly place: string;
  readonly #s3: S3;
  readonly #client: S3Client;
  readonly #at: S3Place;
  readonly #bytesMax: number;
  readonly #timeoutMs: number;
  readonly #now: () => number;

  constructor(s3: S3, client: S3Client, at: S3Place, options: S3BundlesOptions) {
    this.place = `s3://${at.bucket}/${at.prefix}`;
    this.#s3 = s3;
    this.#client = client;
    this.#at = at;
    this.#bytesMax = options.bytesMax ?? LIMITS.bundleBytesMax;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#now = options.now ?? Date.now;
  }

  async get(sha256: string): Promise<Uint8Array | undefined> {
    return await this.#ask(async (abortSignal) => {
      const command = new this.#s3.GetObjectCommand(this.#named(sha256));
      const { Body: body } = await this.#client.send(command, { abortSignal });
      return body === undefined
        ? undefined
        : await readUpTo(body as AsyncIterable<Uint8Array>, this.#bytesMax + 1);
    });
  }

  async put(sha256: string, bytes: Uint8Array): Promise<void> {
    await this.#ask(async (abortSignal) => {
      const command = new this.#s3.PutObjectCommand({
        ...this.#named(sha256),
        Body: bytes,
        ContentLength: bytes.byteLength,
        ContentType: "application/x-tar",
        // The server compares it with what arrived.
        ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64"),
      });
      await this.#client.send(command, { abortSignal });
    });
  }

  async quarantine(sha256: string): Promise<void> {
    await this.#ask(async (abortSignal) => {
      const { Bucket, Key } = this.#named(sha256);
      const aside = {
        Bucket,
        Key: `${this.#at.prefix}quarantine/${sha256}.${this.#now()}.tar`,
        CopySource: encodeURI(`${Bucket}/${Key}`),
      };
      await this.#client.send(new this.#s3.CopyObjectCommand(aside), { abortSignal });
      await this.#client.send(new this.#s3.DeleteObjectCommand({ Bucket, Key }), { abortSignal });
    });
  }

  async *list(): AsyncIterable<string> {
    let from: string | undefined;
    do {
      const request = {
        Bucket: this.#at.bucket,
        Prefix: this.#at.prefix,
        Delimiter: "/",
        ContinuationToken: from,
      };
      const page = await this.#ask(
        (abortSignal) => this.#client.send(new this.#s3.ListObjectsV2Command(request), { abortSignal }),
        "needed",
      );
      for (const { Key: key = "" } of page?.Contents ?? []) {
        const sha256 = key.slice(this.#at.prefix.length).replace(/\.tar$/, "");
        if (isSha256(sha256)) yield sha256;
      }
      from = page?.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (from !== undefined);
  }

  async check(): Promise<void> {
    const command = new this.#s3.HeadBucketCommand({ Bucket: this.#at.bucket });
    await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }), "needed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }

  #named(sha256: string): { Bucket: string; Key: string } {
    if (!isSha256(sha256)) throw new TypeError("a bundle is named by its hash");
    return { Bucket: this.#at.bucket, Key: `${this.#at.prefix}${sha256}.tar` };
  }

  /** @param missing whether what is asked for may not be there: then the answer is `undefined` */
  async #ask<T>(
    send: (signal: AbortSignal) => Promise<T>,
    missing: "allowed" | "needed" = "allowed",
  ): Promise<T | undefined> {
    try {
      return await send(AbortSignal.timeout(this.#timeoutMs));
    } catch (cause) {
      if (cause instanceof PlatformError) throw cause;
      if (missing === "allowed" && isNoSuchKey(cause)) return undefined;
      throw bundlesUnavailable(this.place, cause);
    }
  }
}

const isNoSuchKey = (error: unknown): boolean => error instanceof Error && error.name === "NoSuchKey";

async function readUpTo(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    parts.push(part);
    length += part.byteLength;
    // Leaving the loop ends the stream and with it the connection.
    if (length >= bytesMax) break;
  }
  return new Uint8Array(Buffer.concat(parts)).subarray(0, bytesMax);
}
