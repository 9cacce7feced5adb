/** One server-sent event. */
export interface ServerSentEvent {
  /** Its type (`message`). */
  event: string;
  data: string;
  id: string | undefined;
}

const LINE_CHARACTERS_MAX = 8 * 1024 * 1024;

/**
 * Reads server-sent events off a stream of bytes, as the HTML standard defines them.
 * @yields each event that has data; comments and fields of no use are passed over
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* readEventStream(source: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder("utf-8");
  let rest = "";
  let event = "message";
  let data: string[] = [];
  let id: string | undefined;
  for await (const part of source) {
    rest += decoder.decode(part, { stream: true });
    // A carriage return at the end may be half of a line end; it waits for the next part.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    if (rest.length > LINE_CHARACTERS_MAX) throw new RangeError("a line of the event stream is too long");
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { event, data: data.join("\n"), id };
        event = "message";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") data.push(value);
      else if (field === "event") event = value;
      else if (field === "id") id = value;
    }
  }
}
