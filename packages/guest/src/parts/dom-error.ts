import type { PartContext } from "../part-context.ts";

/** Makes a `DOMException`. */
export type DomError = (message: string, name: string) => Error;

/** @returns a maker of `DOMException`s, of the class users see as the global */
export function createDomError(context: PartContext): DomError {
  return (message, name) => {
    const { DOMException } = context.part("events") as unknown as {
      DOMException: new (message: string, name: string) => Error;
    };
    return new DOMException(message, name);
  };
}
