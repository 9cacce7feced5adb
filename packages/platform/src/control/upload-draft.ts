import { type Base64Files, type DraftReply, newDraftId, PlatformError } from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import { buildBundle } from "../bundle/build-bundle.ts";
import type { ControlContext } from "./control-context.ts";

/**
 * Packs files into a bundle and keeps it as a draft for a day.
 * @throws CS_VALIDATION_FAILED for bad base64 or paths, CS_VALIDATION_MANIFEST_INVALID,
 *   CS_VALIDATION_BUNDLE_TOO_LARGE, CS_NOT_FOUND without the function
 */
export async function uploadDraft(
  { store, clock, limits }: ControlContext,
  key: FunctionKey,
  files: Base64Files,
): Promise<DraftReply> {
  const { tar, sha256 } = buildBundle(decodeFiles(files));
  const nowMs = clock();
  const draft = {
    draft_id: newDraftId(),
    sha256,
    size_bytes: tar.byteLength,
    created_at_ms: nowMs,
    expires_at_ms: nowMs + limits.draftTtlMs,
    consumed: false,
  };
  await store.drafts.put(key, draft, tar);
  const { draft_id, size_bytes, expires_at_ms } = draft;
  return { draft_id, sha256, size_bytes, expires_at_ms };
}

function decodeFiles(files: Base64Files): Map<string, Uint8Array> {
  const decoded = new Map<string, Uint8Array>();
  for (const [path, text] of Object.entries(files)) {
    const bytes = Buffer.from(text, "base64");
    // Buffer skips what is no base64; half a file must not be published.
    if (bytes.toString("base64") !== text) {
      throw new PlatformError("CS_VALIDATION_FAILED", `file ${JSON.stringify(path)} is not base64`);
    }
    decoded.set(path, bytes);
  }
  return decoded;
}
