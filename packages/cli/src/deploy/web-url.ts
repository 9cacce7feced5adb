import type { ResolvedScope } from "../scope.ts";

/** @returns where a function answers over the web */
export const webUrl = (scope: ResolvedScope, name: string, ref: string): string =>
  `${scope.gatewayUrl}/v1/web/${scope.tenant}/${scope.namespace}/${name}/${ref}`;

/** @returns a line for a shell that calls the function; the token is named, never printed */
export function curlLine(scope: ResolvedScope, name: string, ref: string): string {
  const auth = scope.token === undefined ? "" : ` -H "authorization: Bearer $SOUS_TOKEN"`;
  return `curl -s${auth} ${webUrl(scope, name, ref)}`;
}
