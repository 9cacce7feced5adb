import { validate } from "./validate.js";

/** What the tool takes, as an agent's tool list wants it. */
export const inputSchema = {
  type: "object",
  properties: {
    values: { type: "array", items: { type: "number" }, minItems: 1, maxItems: 10000 },
    digits: { type: "integer", minimum: 0, maximum: 12 },
  },
  required: ["values"],
  additionalProperties: false,
};

/** Statistics over numbers: a tool for agents, which would guess them otherwise. */
export default async function handle(event) {
  const issues = validate(inputSchema, event);
  if (issues.length > 0) return json(400, { ok: false, issues });
  const { values, digits = 6 } = event;
  const sorted = values.toSorted((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const round = (value) => Number(value.toFixed(digits));
  return json(200, {
    ok: true,
    count: values.length,
    min: sorted[0],
    max: sorted.at(-1),
    mean: round(mean),
    median: round((sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2),
    deviation: round(Math.sqrt(variance)),
  });
}

const json = (statusCode, value) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});
