/**
 * Fetches a URL the event names and tells what came of it. What the manifest does not allow, and what is not on
 * the public Internet, is refused by the platform with an error that code may catch.
 */
export default async function handle(event) {
  const url = event?.url ?? "https://example.com/";
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    const text = await response.text();
    return json(200, { url: response.url, status: response.status, characters: text.length });
  } catch (error) {
    // `fetch` wraps what the platform said, as the standard asks; `cs.http.fetch` throws it directly.
    const { code = "unknown", message } = error.cause ?? error;
    return json(code === "CS_RUNTIME_CAPABILITY_DENIED" ? 403 : 502, { url, code, message });
  }
}

const json = (statusCode, value) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});
