import {
  AliasesReply,
  AliasParams,
  AliasRecord,
  DeletedReply,
  DraftReply,
  FunctionParams,
  LATEST_ALIAS,
  LIMITS,
  PageQuery,
  parseRefTarget,
  PlatformError,
  PowersDiff,
  PowersQuery,
  PublishBody,
  PublishReply,
  PutDraftBody,
  SetAliasBody,
  VersionFilesReply,
  VersionPage,
  VersionParams,
  VersionRecord,
} from "@sous/contract";
import { readBundle } from "../bundle/read-bundle.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import { versionsBehind } from "./approve-powers.ts";
import { comparePowers, type PowersOf } from "./compare-powers.ts";
import type { ControlContext } from "./control-context.ts";
import { findFunction } from "./find-function.ts";
import { FUNCTIONS_PATH } from "./function-routes.ts";
import { pageRequest } from "./page-request.ts";
import { publishVersion, refuseLatest } from "./publish-version.ts";
import { setAlias } from "./set-alias.ts";
import { uploadDraft } from "./upload-draft.ts";

const FUNCTION_PATH = `${FUNCTIONS_PATH}/:name`;
const tags = ["versions"];

/** From files to a version that can be called: drafts, versions, aliases. */
export function registerVersionRoutes(app: ControlApp, context: ControlContext): void {
  registerPublishing(app, context);
  registerVersionReads(app, context);
  registerAliases(app, context);
}

function registerPublishing(app: ControlApp, context: ControlContext): void {
  app.put(
    `${FUNCTION_PATH}/draft`,
    {
      config: { action: "cs:function:draft:upload" },
      bodyLimit: context.limits.draftRequestBytesMax,
      schema: {
        tags,
        summary: "Upload the files of the next version as a draft",
        params: FunctionParams,
        body: PutDraftBody,
        response: answers({ 200: DraftReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      const draft = await uploadDraft(context, request.params, request.body.files);
      const { draft_id, sha256, size_bytes } = draft;
      audit(context, request, tenant, "DraftUploaded", {
        namespace,
        function: name,
        draft_id,
        sha256,
        size_bytes,
      });
      return reply.send(draft);
    },
  );

  app.post(
    `${FUNCTION_PATH}/versions`,
    {
      config: { action: "cs:function:publish" },
      schema: {
        tags,
        summary: "Publish a draft as the next version",
        params: FunctionParams,
        body: PublishBody,
        response: answers({ 201: PublishReply }),
      },
    },
    async (request, reply) => {
      const { params, body, identity } = request;
      const { reply: published, approved } = await publishVersion(context, params, body, identity);
      const { version, sha256, powers } = published;
      const { tenant, namespace, name } = params;
      const data = { namespace, function: name, version, sha256, alias: body.alias ?? null };
      audit(context, request, tenant, "FunctionPublished", data);
      if (approved) audit(context, request, tenant, "PowersApproved", { ...data, added: powers.added });
      return reply.code(201).send(published);
    },
  );
}

function registerVersionReads(app: ControlApp, context: ControlContext): void {
  const { store, bundles } = context;
  const config = { action: "cs:function:read" } as const;
  const findVersion = async (params: VersionParams): Promise<VersionRecord> => {
    await findFunction(store, params, true);
    const number = Number(params.version);
    const record = number > 2_147_483_647 ? undefined : await store.versions.get(params, number);
    if (record !== undefined) return record;
    throw new PlatformError("CS_NOT_FOUND", `function ${params.name} has no version ${params.version}`);
  };

  app.get(
    `${FUNCTION_PATH}/versions`,
    {
      config,
      schema: {
        tags,
        summary: "List versions, newest first",
        params: FunctionParams,
        querystring: PageQuery,
        response: answers({ 200: VersionPage }),
      },
    },
    async ({ params, query }) => {
      await findFunction(store, params, true);
      return store.versions.list(params, pageRequest(query));
    },
  );

  app.get(
    `${FUNCTION_PATH}/versions/:version`,
    {
      config,
      schema: {
        tags,
        summary: "Read a version",
        params: VersionParams,
        response: answers({ 200: VersionRecord }),
      },
    },
    ({ params }) => findVersion(params),
  );

  app.get(
    `${FUNCTION_PATH}/versions/:version/powers`,
    {
      config,
      schema: {
        tags,
        summary: "Compare what a version may do with another",
        params: VersionParams,
        querystring: PowersQuery,
        response: answers({ 200: PowersDiff }),
      },
    },
    async ({ params, query }) => {
      const version = await findVersion(params);
      return comparePowers(version.config, await versionsToCompare(store, params, query.against));
    },
  );

  app.get(
    `${FUNCTION_PATH}/versions/:version/files`,
    {
      config,
      schema: {
        tags,
        summary: "Read the files of a version",
        params: VersionParams,
        response: answers({ 200: VersionFilesReply }),
      },
    },
    async ({ params }) => {
      const { sha256 } = await findVersion(params);
      const bundle = await bundles.load(sha256);
      if (bundle === undefined) {
        throw new PlatformError(
          "CS_STORE_READ_FAILED",
          `the bundle of version ${params.version} is not in the store`,
        );
      }
      const files = [...readBundle(bundle, sha256).files];
      return {
        sha256,
        files: Object.fromEntries(
          files.map(([path, bytes]) => [path, Buffer.from(bytes).toString("base64")]),
        ),
      };
    },
  );
}

/** @throws CS_VALIDATION_FAILED for what is no reference, CS_NOT_FOUND for one that leads nowhere */
async function versionsToCompare(
  store: ControlContext["store"],
  params: VersionParams,
  against: string | undefined,
): Promise<PowersOf[]> {
  const number = Number(params.version) - 1;
  const target = against === undefined ? { version: number } : parseRefTarget(against);
  if (target === undefined) {
    throw new PlatformError("CS_VALIDATION_FAILED", "against must be an alias or a version");
  }
  const found =
    "alias" in target && target.alias !== LATEST_ALIAS
      ? await versionsBehind(store, params, target.alias)
      : [
          await ("alias" in target
            ? store.versions.latest(params)
            : store.versions.get(params, target.version)),
        ];
  const versions = found.filter((version) => version !== undefined);
  if (versions.length > 0 || against === undefined) return versions;
  throw new PlatformError("CS_NOT_FOUND", `function ${params.name} has no ${against} to compare with`);
}

function registerAliases(app: ControlApp, context: ControlContext): void {
  const { store, catalog } = context;
  const tags = ["aliases"];

  app.put(
    `${FUNCTION_PATH}/aliases/:alias`,
    {
      config: { action: "cs:function:alias:set" },
      bodyLimit: LIMITS.headersBytesMax,
      schema: {
        tags,
        summary: "Point an alias at a version, or at several by weight",
        params: AliasParams,
        body: SetAliasBody,
        response: answers({ 200: AliasRecord }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name, alias } = request.params;
      const { record, approved } = await setAlias(
        context,
        request.params,
        alias,
        request.body,
        request.identity,
      );
      const { updated_at_ms: _at, ...rest } = record;
      const data = { namespace, function: name, ...rest };
      audit(context, request, tenant, "AliasUpdated", data);
      if (approved !== undefined) {
        audit(context, request, tenant, "PowersApproved", { ...data, added: approved.added });
      }
      return reply.send(record);
    },
  );

  app.get(
    `${FUNCTION_PATH}/aliases`,
    {
      config: { action: "cs:function:read" },
      schema: {
        tags,
        summary: "List aliases",
        params: FunctionParams,
        response: answers({ 200: AliasesReply }),
      },
    },
    async ({ params }) => {
      await findFunction(store, params, true);
      return { aliases: await store.aliases.list(params) };
    },
  );

  app.delete(
    `${FUNCTION_PATH}/aliases/:alias`,
    {
      config: { action: "cs:function:alias:set" },
      schema: {
        tags,
        summary: "Delete an alias",
        params: AliasParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name, alias } = request.params;
      refuseLatest(alias);
      await findFunction(store, request.params);
      await store.aliases.delete(request.params, alias);
      catalog.invalidate(request.params);
      audit(context, request, tenant, "AliasDeleted", { namespace, function: name, alias });
      return reply.send({ status: "deleted" });
    },
  );
}
