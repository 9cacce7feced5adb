/** The function every server of the bench runs. */
export const HELLO_CODE = `export default async function handle(event) {
  return { statusCode: 200, headers: {}, body: JSON.stringify({ message: "hi " + event.name }) };
}`;

/** The event: 108 bytes of JSON. */
export const EVENT_JSON = JSON.stringify({ name: "x".repeat(97) });

/** @returns a script for wrk that posts the event */
export function postScript(headers: Record<string, string> = {}): string {
  const lines = [
    'wrk.method = "POST"',
    `wrk.body = [[${EVENT_JSON}]]`,
    'wrk.headers["content-type"] = "application/json"',
  ];
  for (const [name, value] of Object.entries(headers)) lines.push(`wrk.headers["${name}"] = "${value}"`);
  return lines.join("\n");
}

/** A script for wrk that only gets. */
export const GET_SCRIPT = "";
