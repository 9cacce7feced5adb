import assert from "node:assert/strict";
import test from "node:test";
import { runGuest } from "./testing/run-guest.ts";

const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor as new (
  body: string,
) => () => Promise<unknown>;

/** Runs the same code here and in the guest and compares what it returns. */
async function same(body: string): Promise<void> {
  const { ending } = await runGuest(
    `export default async () => JSON.stringify(await (async () => { ${HELPERS} ${body} })());`,
  );
  assert.equal(
    ending.kind,
    "reply",
    ending.kind === "fail" ? `${ending.message}\n${ending.stack}` : ending.kind,
  );
  const seen: unknown = JSON.parse(JSON.parse(ending.kind === "reply" ? ending.body : "null") as string);
  const expected: unknown = JSON.parse(JSON.stringify(await new AsyncFunction(HELPERS + body)()));
  assert.deepEqual(seen, expected);
}

/** `attempt` turns what throws into its name, so that errors are compared too. */
const HELPERS = `
  const attempt = (f) => { try { return f(); } catch (e) { return e.name; } };
  const later = async (f) => { try { return await f(); } catch (e) { return e.name; } };
`;

test("URL parses and prints as Node's does", async () => {
  const inputs = [
    "http://user:pass@Example.COM:80/a/../b//c;d?q=1&q=2#frag",
    "https://EXAMPLE.com:443",
    "HTTP://a b/",
    "http://[::1]:3000/x",
    "http://[2001:db8::0:1]/",
    "http://0x7f.1/",
    "http://256.1.1.1/",
    "http://1.2.3.4.5/",
    "http://a.com:99999/",
    "file:///C:/a/../b",
    "mailto:me@example.com",
    "data:text/plain,hello world#x y",
    "javascript:alert(1)",
    "blob:https://a.com/uuid",
    "//a.com/x",
    "/only/path",
    "?query",
    "",
    "http://ex%41mple.com/%zz?%zz",
    "http://münchen.de/straße?größe=1",
    "http://xn--mnchen-3ya.de/",
    "http://xn--a/",
    "http://a.com/\\u0000\\t\\n b",
    "ws://a.com/ü?ü",
    "http://a.com/?a=\\ud800",
    "http://a_b.com/",
    "http://a..b/",
    "non-special://host:1/p?q#f",
  ];
  const fields = "href origin protocol username password host hostname port pathname search hash".split(" ");
  await same(`
    const show = (url) => ${JSON.stringify(fields)}.map((field) => url[field]);
    return ${JSON.stringify(inputs)}.map((input) => [input, attempt(() => show(new URL(input))), URL.canParse(input),
      attempt(() => show(new URL(input, "https://base.test/dir/file?x#y")))]);`);
  await same(`
    const url = new URL("https://a.test/p"); const seen = [];
    for (const [key, value] of [["protocol","http"],["host","b.test:8"],["port","x"],["port",""],["pathname","a b"],["search","q=ü"],["hash","h h"],["username","u:"],["hostname","c d"],["href","nope"]])
      seen.push([attempt(() => { url[key] = value; }), url.href]);
    url.searchParams.append("n", "1"); url.searchParams.delete("q"); seen.push(url.href, String(url), JSON.stringify(url));
    return seen;`);
});

test("URLSearchParams behaves as Node's does", async () => {
  await same(`
    const p = new URLSearchParams("?a=1&b=2+3&a=%C3%BC&c&=d&%zz=1");
    p.append("e", "f g&h=ü"); p.set("b", "x"); p.delete("c"); p.sort();
    return [p.toString(), p.getAll("a"), p.get("none"), p.has("b"), p.has("a", "1"), p.size, [...p.keys()], [...p.values()],
      new URLSearchParams({ a: 1, b: [1, 2] }).toString(), new URLSearchParams([["a", "b"], ["c", "d"]]).toString(),
      attempt(() => new URLSearchParams([["a"]])), new URLSearchParams(new Map([["m", "n"]])).toString()];`);
});

test("text encodings and base64 behave as Node's do", async () => {
  await same(`
    const texts = ["", "abc", "ü€😀", "\\ud800x", "x\\udc00", "a".repeat(70000) + "é"];
    const into = (text, size) => { const to = new Uint8Array(size); return [new TextEncoder().encodeInto(text, to), [...to]]; };
    return [texts.map((text) => [...new TextEncoder().encode(text).slice(-9)]), into("aé😀b", 4), into("abc", 2), into("ü", 1), new TextEncoder().encoding];`);
  await same(`
    const bytes = (...list) => new Uint8Array(list);
    const inputs = [bytes(), bytes(0xef,0xbb,0xbf,0x61), bytes(0xc3,0xbc), bytes(0xff,0x61), bytes(0xe2,0x82), bytes(0xf0,0x9f,0x98,0x80), bytes(0xed,0xa0,0x80), bytes(0x80), bytes(0,0xd8), bytes(0x41,0)];
    const labels = ["utf-8", "UTF8", "utf-16le", "utf-16be", "latin1", "windows-1251", "iso-8859-2", "nonsense"];
    const all = labels.map((label) => [label, attempt(() => { const d = new TextDecoder(label); return [d.encoding, inputs.map((i) => d.decode(i))]; }),
      attempt(() => { const d = new TextDecoder(label, { fatal: true }); return inputs.map((i) => attempt(() => d.decode(i))); })]);
    // Valid text only: about the rest Node's tables and the standard's do not agree.
    const legacy = [["shift_jis", [0x82,0xa0,0x61]], ["euc-jp", [0xa4,0xa2]], ["euc-kr", [0xb0,0xa1]], ["gbk", [0xc4,0xe3]], ["gb18030", [0xc4,0xe3]], ["big5", [0xa7,0x41]], ["iso-2022-jp", [0x1b,0x24,0x42,0x24,0x22,0x1b,0x28,0x42]]]
      .map(([label, list]) => new TextDecoder(label).decode(bytes(...list)));
    const stream = new TextDecoder();
    return [all, legacy, stream.decode(bytes(0xe2), { stream: true }), stream.decode(bytes(0x82, 0xac), { stream: true }), stream.decode(),
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(0xef,0xbb,0xbf,0x61)).length, new TextDecoder().decode(bytes(0x61).buffer), new TextDecoder().decode(new DataView(bytes(0x62,0x63).buffer, 1))];`);
  await same(`
    const inputs = ["", "YQ==", "YQ=", "YQ", "Y", " Y Q = = ", "YR==", "YW Jj\\n", "_-8=", "=", "====", "YQ==YQ==", "ÿ"];
    return [inputs.map((input) => [input, attempt(() => atob(input))]), ["", "a", "ab", "\\xff\\x00", "€", 12, null].map((input) => attempt(() => btoa(input)))];`);
});

test("events and abort signals behave as Node's do", async () => {
  await same(`
    const seen = []; const target = new EventTarget();
    const handler = { handleEvent(event) { seen.push(["object", event.type, this === handler]); } };
    target.addEventListener("x", function (event) { seen.push([this === target, event.target === target, event.eventPhase, event.cancelable]); event.preventDefault(); });
    target.addEventListener("x", handler); target.addEventListener("x", handler);
    target.addEventListener("x", () => seen.push("once"), { once: true });
    target.addEventListener("x", (event) => event.stopImmediatePropagation()); target.addEventListener("x", () => seen.push("unreached"));
    const controller = new AbortController(); target.addEventListener("y", () => seen.push("y"), { signal: controller.signal });
    const first = target.dispatchEvent(new Event("x", { cancelable: true })); target.removeEventListener("x", handler);
    const second = target.dispatchEvent(new CustomEvent("x", { detail: 5 })); target.dispatchEvent(new Event("y")); controller.abort(); target.dispatchEvent(new Event("y"));
    return [seen, first, second, new CustomEvent("c", { detail: 5 }).detail, attempt(() => target.dispatchEvent({})), attempt(() => new Event())];`);
  await same(`
    const seen = []; const c = new AbortController(); c.signal.onabort = (event) => seen.push(["on", event.type]);
    c.signal.addEventListener("abort", () => seen.push("listener")); const any = AbortSignal.any([new AbortController().signal, c.signal]);
    const before = [c.signal.aborted, c.signal.reason]; c.abort(); c.abort("again");
    return [before, seen, c.signal.aborted, c.signal.reason.name, c.signal.reason instanceof DOMException, any.aborted, any.reason === c.signal.reason,
      AbortSignal.abort("why").reason, attempt(() => AbortSignal.abort().throwIfAborted()), attempt(() => new AbortSignal()), AbortSignal.any([AbortSignal.abort(1)]).reason,
      await new Promise((r) => { const s = AbortSignal.timeout(2); s.addEventListener("abort", () => r([s.reason.name, s.aborted])); setTimeout(() => {}, 50); })];`);
  await same(`
    const e = new DOMException("m", "AbortError"); const d = new DOMException();
    return [e.name, e.message, e.code, e instanceof Error, String(e), d.name, d.code, d.message, new DOMException("a", { name: "DataCloneError", cause: 1 }).cause];`);
});

test("structuredClone behaves as Node's does", async () => {
  await same(`
    class Point { constructor() { this.x = 1; } get y() { return 2; } }
    const source = { date: new Date(5), map: new Map([["k", { v: 1 }]]), set: new Set([1, "a"]), regexp: /a+/gi, list: [1, , 3], big: 10n, nan: NaN, none: undefined,
      bytes: new Uint8Array([1, 2, 3]).subarray(1), floats: new Float64Array([0.5]), view: new DataView(new ArrayBuffer(4), 1, 2), point: new Point(), boxed: Object("s"), error: new RangeError("r", { cause: { c: 1 } }) };
    source.self = source; source.shared = source.map;
    const c = structuredClone(source);
    return [c !== source, c.self === c, c.shared === c.map, c.date.getTime(), c.map.get("k"), [...c.set], String(c.regexp), c.list, 1 in c.list, c.list.length, String(c.big), Number.isNaN(c.nan), "none" in c,
      [...c.bytes], c.bytes.byteOffset, c.bytes.buffer.byteLength, [...c.floats], c.view.byteLength, c.point, c.point instanceof Point, typeof c.boxed, String(c.boxed),
      c.error instanceof RangeError, c.error.message, c.error.cause, attempt(() => structuredClone(() => 1)), attempt(() => structuredClone({ s: Symbol() })), attempt(() => structuredClone(Promise.resolve())), attempt(() => structuredClone())];`);
  await same(`
    const buffer = new ArrayBuffer(8); const c = structuredClone({ view: new Uint8Array(buffer) }, { transfer: [buffer] });
    return [buffer.byteLength, c.view.length, attempt(() => structuredClone(1, { transfer: [{}] })), structuredClone(JSON.parse('{"__proto__": 1}')).__proto__];`);
});

test("crypto behaves as Node's does", async () => {
  await same(`
    const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
    const data = new TextEncoder().encode("message"); const out = [];
    for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "sha-256", { name: "SHA-256" }, "MD5"]) out.push(await later(async () => hex(await crypto.subtle.digest(name, data))));
    for (const hash of ["SHA-1", "SHA-256", "SHA-512"]) { const key = await crypto.subtle.importKey("raw", new TextEncoder().encode("key"), { name: "HMAC", hash }, false, ["sign", "verify"]);
      const mac = await crypto.subtle.sign("HMAC", key, data); out.push(hex(mac), await crypto.subtle.verify("HMAC", key, mac, data), await crypto.subtle.verify("HMAC", key, new Uint8Array(mac.byteLength), data), key.type, key.algorithm.hash.name); }
    const onlySign = await crypto.subtle.importKey("raw", data, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    out.push(await later(() => crypto.subtle.verify("HMAC", onlySign, data, data)), await later(() => crypto.subtle.digest("SHA-256", "text")));
    const filled = crypto.getRandomValues(new Uint32Array(64)); const id = crypto.randomUUID();
    out.push(filled.some((n) => n > 255), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id), id !== crypto.randomUUID());
    out.push(attempt(() => crypto.getRandomValues(new Uint8Array(65537))), attempt(() => crypto.getRandomValues(new Float32Array(1))), crypto.getRandomValues(new Uint8Array(65536)).length);
    return out;`);
});

test("Headers behave as Node's do", async () => {
  await same(`
    const h = new Headers({ "X-B": " 2 ", a: "1" }); h.append("A", "3"); h.append("Set-Cookie", "x=1"); h.append("set-cookie", "y=2"); h.set("z", 5);
    const each = []; h.forEach((value, name) => each.push([name, value]));
    return [[...h], each, [...h.keys()], [...h.values()], h.get("a"), h.get("none"), h.has("x-b"), h.getSetCookie(), (h.delete("A"), h.has("a")), [...new Headers(h)], [...new Headers([["a", "b"]])], [...new Headers(new Map([["m", "n"]]))],
      attempt(() => new Headers({ "a b": "c" })), attempt(() => new Headers({ a: "b\\nc" })), attempt(() => new Headers({ a: "€" })), attempt(() => new Headers([["a"]])), attempt(() => new Headers(5)), attempt(() => new Headers(null)), String(h)];`);
});

test("Request and Response behave as Node's do", async () => {
  await same(`
    const r = new Request("https://a.test/x y", { method: "post", headers: { a: "b" }, body: JSON.stringify({ a: 1 }) });
    const copy = r.clone(); const derived = new Request(copy, { headers: { c: "d" } });
    return [r.method, r.url, [...r.headers], r.bodyUsed, await r.json(), r.bodyUsed, await later(() => r.text()), copy.bodyUsed, await derived.text(), [...derived.headers], r.signal.aborted, r.redirect,
      new Request("https://a.test").method, new Request("https://a.test").body, attempt(() => new Request("/relative")), attempt(() => new Request("https://a.test", { body: "b" })), attempt(() => new Request("https://u:p@a.test")),
      attempt(() => new Request("https://a.test", { method: "TRACE" })), new Request("https://a.test", { method: "patch" }).method, [...new Request("https://a.test", { method: "PUT", body: new URLSearchParams("a=1 2") }).headers]];`);
  await same(`
    const read = async (body) => { const r = new Response(body); return [[...r.headers], await r.text(), r.bodyUsed]; };
    const stream = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([97])); c.enqueue(new Uint8Array([98])); c.close(); } });
    const json = Response.json({ a: 1 }, { status: 201, headers: { x: "y" } }); const clone = json.clone(); const streamed = new Response("abc"); const reader = streamed.body.getReader();
    return [await read("ü"), await read(new Uint8Array([97, 98])), await read(new Uint8Array([99]).buffer), await read(new URLSearchParams("a=ü")), await read(null), await read(5), await read(new Blob(["x", "y"], { type: "text/X" })), await read(stream),
      json.status, json.ok, [...json.headers], await json.json(), await clone.text(), new TextDecoder().decode((await reader.read()).value), (await reader.read()).done, streamed.bodyUsed,
      new Response("x", { status: 404, statusText: "no" }).statusText, Response.redirect("https://a.test/b", 301).headers.get("location"), Response.error().type, new Response(null, { status: 204 }).body,
      attempt(() => new Response("x", { status: 204 })), attempt(() => new Response("x", { status: 99 })), attempt(() => Response.redirect("https://a.test", 200)), attempt(() => Response.json(undefined)),
      (await new Response("abc").arrayBuffer()).byteLength, [...await new Response("abc").bytes()], await (await new Response("abc").blob()).text(), await later(() => new Response("{").json())];`);
});

test("blobs and streams behave as Node's do", async () => {
  await same(`
    const b = new Blob(["ab", new Uint8Array([99]), new Blob(["d"])], { type: "Text/Plain" }); const parts = [];
    for await (const chunk of b.stream()) parts.push(...chunk);
    return [b.size, b.type, await b.text(), await b.slice(1, 3, "x/y").text(), b.slice(-2).size, parts];`);
  await same(`
    const upper = new TransformStream({ transform(chunk, c) { c.enqueue(chunk.toUpperCase()); } });
    const source = new ReadableStream({ start(c) { c.enqueue("a"); c.enqueue("b"); c.close(); } }); const out = [];
    for await (const chunk of source.pipeThrough(upper)) out.push(chunk);
    return out;`);
});

test("performance counts from the start of the activation", async () => {
  const code = `export default async () => { const a = performance.now(); await new Promise((r) => setTimeout(r, 40)); return [performance.now() - a, performance.timeOrigin > 1e12]; };`;
  const { ending } = await runGuest(code);
  assert.equal(ending.kind === "reply" && ending.body, "[40,true]");
});

const touched = async (code: string): Promise<string[]> =>
  (await runGuest(`export default async () => { ${code} };`)).loads;

test("a part is loaded when one of its globals is touched, and no other", async () => {
  assert.deepEqual(await touched("return 1;"), []);
  assert.deepEqual(await touched("atob('YQ=='); btoa('a'); new TextEncoder();"), ["bytes"]);
  assert.deepEqual(await touched("new URL('http://a.test/?b=c').searchParams.get('b');"), ["url", "bytes"]);
  assert.deepEqual(await touched("new URL('http://ü.test/');"), ["url", "bytes", "idna"]);
  assert.deepEqual(await touched("new AbortController().abort();"), ["events"]);
  assert.deepEqual(await touched("await new Response('a').text();"), ["fetch"]);
  assert.deepEqual(await touched("structuredClone({});"), ["clone"]);
  assert.deepEqual(await touched("crypto.randomUUID();"), ["crypto"]);
});

test("globals look like a platform's", async () => {
  const code = `export default () => {
    const names = ["URL", "URLSearchParams", "TextEncoder", "TextDecoder", "Headers", "Request", "Response", "Blob", "Event", "EventTarget", "AbortSignal", "AbortController", "DOMException", "ReadableStream"];
    return names.filter((name) => globalThis[name].name !== name || Object.keys(globalThis).includes(name)); };`;
  const { ending } = await runGuest(code);
  assert.equal(ending.kind === "reply" && ending.body, "[]");
});
