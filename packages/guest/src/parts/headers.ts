/** What a `Headers` can be made of. */
export type HeadersInit = Headers | Iterable<Iterable<string>> | Record<string, string>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/u;
const EDGE_SPACE = /^[\t\n\r ]+|[\t\n\r ]+$/gu;
const FORBIDDEN_IN_VALUE = /[\0\n\r]|[^\0-\u00FF]/u;
const COOKIE = "set-cookie";

/** Header fields of a request or a response. @see https://fetch.spec.whatwg.org/#headers-class */
export class Headers {
  /** Values by lower-case name, in the order they came. */
  readonly #values = new Map<string, string[]>();

  constructor(init?: HeadersInit) {
    if (init === undefined) return;
    if (typeof init !== "object" || init === null) throw new TypeError("Headers take an object or pairs");
    if (init instanceof Headers) {
      for (const [name, values] of init.#values) this.#values.set(name, [...values]);
    } else if (Symbol.iterator in init) {
      for (const pair of init as Iterable<Iterable<string>>) {
        const [name, value, ...more] = [...pair];
        if (name === undefined || value === undefined || more.length > 0) {
          throw new TypeError("each pair of Headers must hold a name and a value");
        }
        this.append(name, value);
      }
    } else {
      for (const name of Object.keys(init))
        this.append(name, (init as Record<string, string>)[name] as string);
    }
  }

  append(name: string, value: string): void {
    const key = nameOf(name);
    const text = valueOf(key, value);
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [text]);
    else values.push(text);
  }
  set(name: string, value: string): void {
    const key = nameOf(name);
    this.#values.set(key, [valueOf(key, value)]);
  }
  delete(name: string): void {
    this.#values.delete(nameOf(name));
  }
  get(name: string): string | null {
    return this.#values.get(nameOf(name))?.join(", ") ?? null;
  }
  has(name: string): boolean {
    return this.#values.has(nameOf(name));
  }
  getSetCookie(): string[] {
    return [...(this.#values.get(COOKIE) ?? [])];
  }
  forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }
  *entries(): Generator<[string, string], undefined> {
    for (const name of [...this.#values.keys()].toSorted()) {
      const values = this.#values.get(name) ?? [];
      if (name === COOKIE) for (const value of values) yield [name, value];
      else yield [name, values.join(", ")];
    }
  }
  *keys(): Generator<string, undefined> {
    for (const [name] of this.entries()) yield name;
  }
  *values(): Generator<string, undefined> {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator](): Generator<[string, string], undefined> {
    return this.entries();
  }
  get [Symbol.toStringTag](): string {
    return "Headers";
  }
}

function nameOf(name: unknown): string {
  const text = `${name}`;
  if (!TOKEN.test(text)) throw new TypeError(`"${text.slice(0, 100)}" is not a header name`);
  return text.toLowerCase();
}

function valueOf(name: string, value: unknown): string {
  const text = `${value}`.replace(EDGE_SPACE, "");
  if (FORBIDDEN_IN_VALUE.test(text)) throw new TypeError(`the value of the header "${name}" is not valid`);
  return text;
}
