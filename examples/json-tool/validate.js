/**
 * Checks a value against the few words of JSON Schema that tools need.
 * @returns what is wrong, each with the path of the field; empty when nothing is
 */
export function validate(schema, value, path = "") {
  const wrong = (message) => [{ path: path === "" ? "/" : path, message }];
  switch (schema.type) {
    case "object":
      return checkObject(schema, value, path, wrong);
    case "array": {
      if (!Array.isArray(value)) return wrong("must be an array");
      if (value.length < schema.minItems) return wrong(`must have at least ${schema.minItems} items`);
      if (value.length > schema.maxItems) return wrong(`must have at most ${schema.maxItems} items`);
      return value.flatMap((item, index) => validate(schema.items, item, `${path}/${index}`)).slice(0, 10);
    }
    case "integer":
      if (!Number.isInteger(value)) return wrong("must be a whole number");
      return value < schema.minimum || value > schema.maximum
        ? wrong(`must be from ${schema.minimum} to ${schema.maximum}`)
        : [];
    case "number":
      return Number.isFinite(value) ? [] : wrong("must be a number");
    default:
      throw new TypeError(`schemas of type ${schema.type} are not supported`);
  }
}

function checkObject(schema, value, path, wrong) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong("must be an object");
  const missing = schema.required.filter((name) => !Object.hasOwn(value, name));
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(schema.properties, name));
  return [
    ...missing.map((name) => ({ path: `${path}/${name}`, message: "is missing" })),
    ...unknown.map((name) => ({ path: `${path}/${name}`, message: "is not known" })),
    ...Object.entries(schema.properties).flatMap(([name, property]) =>
      Object.hasOwn(value, name) ? validate(property, value[name], `${path}/${name}`) : [],
    ),
  ];
}
