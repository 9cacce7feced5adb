import type { Register } from "../register.ts";
import { registerFnAliasList } from "./fn-alias-list.ts";
import { registerFnAliasSet } from "./fn-alias-set.ts";
import { registerFnCreate } from "./fn-create.ts";
import { registerFnDelete } from "./fn-delete.ts";
import { registerFnDeploy } from "./fn-deploy.ts";
import { registerFnDraftUpload } from "./fn-draft-upload.ts";
import { registerFnGet } from "./fn-get.ts";
import { registerFnInit } from "./fn-init.ts";
import { registerFnInvoke } from "./fn-invoke.ts";
import { registerFnList } from "./fn-list.ts";
import { registerFnLogs } from "./fn-logs.ts";
import { registerFnPublish } from "./fn-publish.ts";
import { registerFnTest } from "./fn-test.ts";
import { registerFnVersions } from "./fn-versions.ts";

/** Everything below `cs fn`, in the order of the help. */
export const fnCommands: readonly Register[] = [
  registerFnInit,
  registerFnTest,
  registerFnDeploy,
  registerFnInvoke,
  registerFnLogs,
  registerFnList,
  registerFnGet,
  registerFnVersions,
  registerFnCreate,
  registerFnDraftUpload,
  registerFnPublish,
  registerFnAliasSet,
  registerFnAliasList,
  registerFnDelete,
];
