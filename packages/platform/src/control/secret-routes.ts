import {
  DEFAULT_TENANT,
  DeletedReply,
  NamespaceParams,
  PageQuery,
  PutSecretBody,
  RekeyBody,
  RekeyReply,
  SecretPage,
  SecretParams,
  SecretRecord,
} from "@sous/contract";
import { authorize } from "../auth/authorize.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { pageRequest } from "./page-request.ts";

const SECRETS_PATH = "/v1/tenants/:tenant/namespaces/:namespace/secrets";
/** A value as JSON, where a byte may take six. */
const BODY_BYTES_MAX = 512 * 1024;
const tags = ["secrets"];

/** Secrets: set, list, delete, encrypt anew. There is no way to read a value back. */
export function registerSecretRoutes(app: ControlApp, context: ControlContext): void {
  const { store, secrets } = context;

  app.put(
    `${SECRETS_PATH}/:name`,
    {
      config: { action: "cs:secret:create" },
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags,
        summary: "Set a secret; its value is never shown again",
        params: SecretParams,
        body: PutSecretBody,
        response: answers({ 200: SecretRecord }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      const record = await secrets.put(request.params, request.body.value);
      const { version, key_id } = record;
      audit(context, request, tenant, "SecretSet", { namespace, name, version, key_id });
      return reply.send(record);
    },
  );

  app.get(
    SECRETS_PATH,
    {
      config: { action: "cs:secret:read" },
      schema: {
        tags,
        summary: "List the secrets of a namespace, without their values",
        params: NamespaceParams,
        querystring: PageQuery,
        response: answers({ 200: SecretPage }),
      },
    },
    ({ params, query }) => store.secrets.list(params, pageRequest(query)),
  );

  app.delete(
    `${SECRETS_PATH}/:name`,
    {
      config: { action: "cs:secret:delete" },
      schema: {
        tags,
        summary: "Delete a secret; versions that name it go on without",
        params: SecretParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      await store.secrets.delete(request.params, name);
      audit(context, request, tenant, "SecretDeleted", { namespace, name });
      return reply.send({ status: "deleted" });
    },
  );

  app.post(
    "/v1/secrets::rekey",
    {
      config: { action: "cs:secret:rekey" },
      schema: {
        tags,
        summary: "Encrypt the secrets of all tenants with the current key, a part at a time",
        body: RekeyBody,
        response: answers({ 200: RekeyReply }),
      },
    },
    async (request, reply) => {
      // The key is the platform's, and so its operator's, whose tenant is that of the first token.
      authorize(request.identity, "cs:secret:rekey", DEFAULT_TENANT);
      const { cursor, new_key = false } = request.body;
      const part = await secrets.rekey(cursor, new_key);
      const { key_id, seen, resealed, unreadable } = part;
      const details = { key_id, new_key, seen, resealed, unreadable: unreadable.length };
      audit(context, request, DEFAULT_TENANT, "SecretsRekeyed", details);
      return reply.send(part);
    },
  );
}
