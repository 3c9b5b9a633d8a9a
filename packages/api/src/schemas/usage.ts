import { z } from "@hono/zod-openapi";
import { DEFAULT_USAGE_GROUPS, MAX_USAGE_GROUPS, USAGE_DIMENSIONS, type UsageReport } from "../usage.ts";

const MAX_FILTER = 256;

const filter = (meaning: string) => z.string().max(MAX_FILTER).optional().openapi({ description: meaning });
const time = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

const query = z.strictObject({
  groupBy: z
    .string()
    .max(500)
    .optional()
    .openapi({
      description: `Separated by commas: ${USAGE_DIMENSIONS.join(", ")}, node:KIND. Times are UTC.`,
      example: "model,day",
    }),
  from: time.optional().openapi({ description: "Default: 30 days before `to`." }),
  to: time.optional().openapi({ description: "This moment is not part of it. Default: now." }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_USAGE_GROUPS)
    .optional()
    .openapi({
      description: `Most groups. Default: ${DEFAULT_USAGE_GROUPS}.`,
    }),
  format: z.enum(["json", "csv"]).optional(),
  model: filter("Only this model, as the upstream names it."),
  requestedModel: filter("Only requests that asked for this name."),
  upstream: filter("Only this upstream."),
  subject: filter("Only this subject."),
  session: filter("Only this session."),
  client: filter("Only this client."),
  credential: filter("Only this credential."),
  route: filter("Only this reason of a route."),
  dialect: filter("Only this dialect of clients."),
  outcome: filter("Only requests that ended like this."),
  node: filter("Only requests charged to this node, KIND:ID.").refine(
    (text) => text === undefined || text.includes(":"),
    {
      message: "must be KIND:ID",
    },
  ),
});

const count = z.int().min(0);
const percentiles = z.strictObject({ p50: z.number(), p95: z.number() }).openapi("UsagePercentiles");

const sums = {
  requests: count,
  errors: count,
  cancelled: count,
  refused: count,
  tokens: z.strictObject({
    input: count,
    output: count,
    cacheRead: count,
    cacheWrite: count,
    cacheWriteLong: count,
    reasoning: count,
  }),
  costMicroUsd: count,
  unpriced: count,
  estimated: count,
  replaced: count,
  latencyMs: percentiles.nullable(),
  firstByteMs: percentiles.nullable(),
};

const report: z.ZodType<UsageReport> = z
  .strictObject({
    from: z.string(),
    to: z.string(),
    groupBy: z.array(z.string()),
    groups: z.array(z.strictObject({ key: z.array(z.string().nullable()), ...sums }).openapi("UsageGroup")),
    more: count,
    total: z.strictObject(sums).openapi("UsageSums"),
  })
  .openapi("UsageReport");

export const getUsage = { query, response: report };
