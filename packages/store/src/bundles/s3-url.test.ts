import assert from "node:assert/strict";
import { test } from "node:test";
import { parseS3Url } from "./s3-url.ts";

test("a bucket alone is AWS's, in the region of the environment, named in the host", () => {
  assert.deepEqual(parseS3Url("s3://code-of-ours"), {
    bucket: "code-of-ours",
    prefix: "",
    endpoint: undefined,
    region: undefined,
    pathStyle: false,
  });
});

test("an endpoint brings a region and the bucket in the path along, unless told otherwise", () => {
  const place = parseS3Url("s3://code/a/b/?endpoint=http://127.0.0.1:9000");
  assert.deepEqual(place, {
    bucket: "code",
    prefix: "a/b/",
    endpoint: "http://127.0.0.1:9000",
    region: "us-east-1",
    pathStyle: true,
  });
  const other = parseS3Url("s3://code?endpoint=https://s3.internal&region=x&path_style=false");
  assert.deepEqual([other.region, other.pathStyle], ["x", false]);
});

test("what cannot be is refused, and no credential is repeated", () => {
  for (const url of [
    "s3://",
    "s3://UPPER_case!",
    "s3://ab",
    "s3://code?endpoint=ftp://x",
    "s3://code?endpoint=http://u:p@x",
    "s3://code?zone=1",
    "s3://code?path_style=maybe",
    "s3://key:hidden@code",
  ]) {
    assert.throws(
      () => parseS3Url(url),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "CS_VALIDATION_FAILED", url);
        assert.doesNotMatch(error.message, /hidden/);
        return true;
      },
      url,
    );
  }
});
