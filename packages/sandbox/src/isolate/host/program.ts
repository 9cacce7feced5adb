import { posix } from "node:path";
import type ivm from "isolated-vm";
import type { ProgramHeader } from "../protocol.ts";
import type { Activation } from "./activation.ts";
import { asWritten } from "./as-written.ts";
import type { Place } from "./place.ts";

/** Sources below this size compile faster than their cache is read. */
const CACHE_SOURCE_BYTES_MIN = 4096;

/** The program cannot run as it stands; the message goes to whoever called it. */
export class ProgramError extends Error {
  override name = "ProgramError";
}

/** A version inside a host: its text, V8's cache of our own compile, and its places. */
export class Program {
  readonly id: number;
  readonly header: ProgramHeader;
  readonly idle: Place[] = [];
  readonly waiting: Activation[] = [];
  /** Places that exist, busy and idle. */
  places = 0;
  everStarted = false;
  evicted = false;
  /** Slices without trouble so far; a program that proved short may wait for what else was read. */
  shortSlices = 0;
  draining = false;
  /** The part of the handlers' context that its next activations share, as JSON text. */
  sharedContextJson = "{}";
  readonly #files: ReadonlyMap<string, string>;
  readonly #caches = new Map<string, ivm.ExternalCopy<ArrayBuffer>>();

  constructor(id: number, header: ProgramHeader, files: ReadonlyMap<string, string>) {
    this.id = id;
    this.header = header;
    this.#files = files;
  }

  /**
   * Compiles, links and evaluates the entry module in a place and finds its handler.
   * Must run inside a slice: evaluation is user code.
   * @throws ProgramError when the text is at fault; what isolated-vm throws when user code does
   */
  load(place: Place, timeoutMs: number): void {
    const modules = new Map<string, ivm.Module>();
    const compile = (path: string): ivm.Module => {
      const known = modules.get(path);
      if (known !== undefined) return known;
      const module = this.#compile(place.isolate, path);
      modules.set(path, module);
      return module;
    };
    const paths = new Map<ivm.Module, string>();
    const entry = compile(this.header.entry);
    paths.set(entry, this.header.entry);
    try {
      entry.instantiateSync(place.context, (specifier, referrer) => {
        const from = paths.get(referrer) ?? this.header.entry;
        const path = this.#resolve(asWritten(specifier), from);
        const module = compile(path);
        paths.set(module, path);
        return module;
      });
    } catch (error) {
      throw error instanceof ProgramError ? error : new ProgramError(messageOf(error), { cause: error });
    }
    entry.evaluateSync({ timeout: timeoutMs });
    const missing = place.adopt(entry.namespace as ivm.Reference, this.header.handler, timeoutMs);
    if (missing.includes("before initialization")) {
      throw new ProgramError(
        `top-level await in ${this.header.entry} may not wait for timers or host calls: do that in the handler`,
      );
    }
    if (missing !== "") throw new ProgramError(missing);
    for (const module of modules.values()) module.release();
  }

  #resolve(specifier: string, from: string): string {
    const shown = JSON.stringify(specifier.slice(0, 200));
    if (!specifier.startsWith("./") && !specifier.startsWith("../")) {
      throw new ProgramError(
        `cannot import ${shown} from ${from}: only files of the bundle can be imported, by a relative path such as "./lib.js"`,
      );
    }
    // As the paths of a bundle are.
    const path = posix.join(posix.dirname(from), specifier).normalize("NFC");
    if (!this.#files.has(path)) {
      throw new ProgramError(
        `cannot import ${shown} from ${from}: the bundle has no file ${JSON.stringify(path.slice(0, 255))}`,
      );
    }
    return path;
  }

  #compile(isolate: ivm.Isolate, path: string): ivm.Module {
    const file = this.#files.get(path);
    if (file === undefined) throw new ProgramError(`the bundle has no file ${JSON.stringify(path)}`);
    const source = path.endsWith(".json") ? `export default JSON.parse(${JSON.stringify(file)});` : file;
    const cached = this.#caches.get(path);
    try {
      if (cached !== undefined)
        return isolate.compileModuleSync(source, { filename: path, cachedData: cached });
      if (source.length < CACHE_SOURCE_BYTES_MIN)
        return isolate.compileModuleSync(source, { filename: path });
      const module = isolate.compileModuleSync(source, { filename: path, produceCachedData: true });
      const produced = (module as ivm.Module & { cachedData?: ivm.ExternalCopy<ArrayBuffer> }).cachedData;
      if (produced !== undefined) this.#caches.set(path, produced);
      return module;
    } catch (error) {
      throw new ProgramError(`${error instanceof Error ? error.name : "Error"}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 4096);
