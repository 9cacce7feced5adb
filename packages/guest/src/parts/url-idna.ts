/**
 * Stands in for the library `tr46` inside the part `url`: names in plain ASCII are settled here, which is what
 * nearly all are; for the others the part `idna` is loaded with its 260 kB of tables.
 */
export interface Idna {
  toASCII(domain: string, options: IdnaOptions): string | null;
}

interface IdnaOptions {
  /** Everything the URL parser of scripts leaves off, and validators turn on. */
  useSTD3ASCIIRules?: boolean;
}

let source: (() => Idna) | undefined;

/** @param given loads the library itself */
export function setIdnaSource(given: () => Idna): void {
  source = given;
}

const BEYOND_ASCII = /[\u0080-\u{10FFFF}]/u;
const PUNYCODE_LABEL = /(?:^|\.)xn--/iu;

/** @see https://url.spec.whatwg.org/#concept-domain-to-ascii step "ASCII string … no label starts with xn--" */
export function toASCII(domain: string, options: IdnaOptions): string | null {
  if (options.useSTD3ASCIIRules !== true && !BEYOND_ASCII.test(domain) && !PUNYCODE_LABEL.test(domain)) {
    return domain.toLowerCase();
  }
  if (source === undefined) return null;
  return source().toASCII(domain, options);
}
