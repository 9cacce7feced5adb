import tr46 from "tr46";
import type { PartExports } from "../part-context.ts";

/** International domain names (UTS 46). */
export const createPart = (): PartExports => ({ toASCII: tr46.toASCII });
