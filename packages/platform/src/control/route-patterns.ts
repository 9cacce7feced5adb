/**
 * @param url the framework's pattern: `/v1/functions/:name(^[^:]+)::invoke`
 * @returns the form that people and OpenAPI use: `/v1/functions/{name}:invoke`
 */
export const routeLabel = (url: string): string =>
  url
    .replaceAll(/(?<!:):(\w+)(?:\([^)]*\))?/g, "{$1}")
    .replaceAll("::", ":")
    .replace(/\*$/, "{path}");

/** Which methods a path takes, to tell a wrong method from a wrong path. */
export interface MethodTable {
  add(methods: string | readonly string[], url: string): void;
  /** @returns the methods of the routes that a path matches, empty for a path that is not there */
  allowed(path: string): string[];
}

export function createMethodTable(): MethodTable {
  const routes: { pattern: RegExp; methods: readonly string[] }[] = [];
  return {
    add(methods, url) {
      const escaped = routeLabel(url).replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
      const pattern = escaped.replace("{path}", ".*").replaceAll(/\{\w+\}/g, "[^/:]+");
      routes.push({ pattern: new RegExp(`^${pattern}$`), methods: [methods].flat() });
    },
    allowed: (path) => [
      ...new Set(routes.flatMap(({ pattern, methods }) => (pattern.test(path) ? methods : []))),
    ],
  };
}
