import type { Register } from "../register.ts";
import { registerDlqEdit } from "./dlq-edit.ts";
import { registerDlqList } from "./dlq-list.ts";
import { registerDlqPurge } from "./dlq-purge.ts";
import { registerDlqRedrive } from "./dlq-redrive.ts";
import { registerDlqShow } from "./dlq-show.ts";

/** Everything below `cs dlq`, in the order of the help. */
export const dlqCommands: readonly Register[] = [
  registerDlqList,
  registerDlqShow,
  registerDlqEdit,
  registerDlqRedrive,
  registerDlqPurge,
];
