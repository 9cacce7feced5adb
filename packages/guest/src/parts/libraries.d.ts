/** Libraries that come without types of their own, as far as the guest uses them. */
declare module "whatwg-url/webidl2js-wrapper.js" {
  interface Interface {
    install(holder: Record<string, unknown>, globalNames: string[]): void;
  }
  export const URL: Interface;
  export const URLSearchParams: Interface;
}

declare module "tr46" {
  const tr46: { toASCII(domain: string, options: object): string | null };
  export default tr46;
}
