import { z } from "@hono/zod-openapi";
import {
  ROUTE_DIALECTS,
  type RouteDefinition,
  type RouteExplanation,
  type RouteInfo,
  type RouteList,
  type RouteTimeouts,
} from "../routes.ts";

const MAX_SECONDS = 86_400;
const MAX_TIERS = 8;
const MAX_TARGETS = 16;
const MAX_VARIANTS = 16;

const targetName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\w.:@/+~-]+$/, { message: "must be provider/model or an alias" })
  .openapi({ description: "provider/model, or an alias" });

const target = z
  .strictObject({
    target: targetName,
    weight: z.int().min(1).max(1_000).exactOptional(),
  })
  .openapi("RouteTarget");

const tiers = z.array(z.array(target).min(1).max(MAX_TARGETS)).max(MAX_TIERS);

/** For what is no list; one that is too long or too short hears so. */
function unlessList(sentence: string) {
  return ({ code }: { readonly code?: string }): string | undefined => (code === "invalid_type" ? sentence : undefined);
}

/** The same as clients write it: a name alone has no weight of its own. */
const wishedTiers = z
  .array(
    z
      .array(
        z
          .union([targetName, target], {
            error:
              'must be "provider/model" or an alias, or {"target":"provider/model","weight":70} with a weight from 1 to 1000',
          })
          .transform((wish) => (typeof wish === "string" ? { target: wish } : wish)),
        { error: unlessList('must be a list of targets, e.g. ["anthropic/claude-opus-5"]') },
      )
      .min(1)
      .max(MAX_TARGETS),
    {
      error: unlessList(
        'must be a list of tiers, each a list of targets, e.g. [["anthropic/claude-opus-5"],["openai/gpt-5.4"]]',
      ),
    },
  )
  .max(MAX_TIERS);

const seconds = z.number().min(0.001).max(MAX_SECONDS);

const timeouts: z.ZodType<RouteTimeouts> = z
  .strictObject({
    connect: seconds.exactOptional(),
    headers: seconds.exactOptional(),
    firstEvent: seconds.exactOptional(),
    gap: seconds.exactOptional(),
    complete: seconds.exactOptional(),
  })
  .openapi("RouteTimeouts", { description: "In seconds, in place of the server's own" });

const audience = z
  .strictObject({
    subjects: z
      .array(
        z
          .string()
          .max(300)
          .regex(/^[a-z][a-z_]{0,31}\/[^\p{Cc}]+$/u, { message: "must be kind/id, e.g. token/owner" }),
      )
      .min(1)
      .max(100)
      .exactOptional(),
    dialects: z.array(z.enum(ROUTE_DIALECTS)).min(1).exactOptional(),
  })
  .refine((value) => value.subjects !== undefined || value.dialects !== undefined, {
    message: "must name subjects or dialects",
  })
  .openapi("RouteAudience");

const variantFields = { for: audience, timeouts: timeouts.exactOptional() };
const variant = z.strictObject({ ...variantFields, tiers: tiers.min(1) }).openapi("RouteVariant");
const wishedVariant = z.strictObject({ ...variantFields, tiers: wishedTiers.min(1) }).openapi("RouteVariantWish");

const fields = {
  tiers,
  timeouts: timeouts.exactOptional(),
  variants: z.array(variant).max(MAX_VARIANTS).exactOptional(),
};

const definition: z.ZodType<RouteDefinition> = z
  .strictObject({
    tiers: wishedTiers,
    timeouts: timeouts.exactOptional(),
    variants: z.array(wishedVariant).max(MAX_VARIANTS).exactOptional(),
  })
  .refine((value) => value.tiers.length > 0 || (value.variants?.length ?? 0) > 0, {
    message: "must hold a tier, or a variant that has one",
    path: ["tiers"],
  })
  .openapi("RouteDefinition");

const info: z.ZodType<RouteInfo> = z
  .strictObject({
    ...fields,
    name: z.string(),
    source: z.enum(["api", "file"]),
    version: z.int().nullable(),
    active: z.boolean(),
    problem: z.string().nullable().openapi({ description: "A target that leads nowhere now, e.g. to no provider" }),
  })
  .openapi("Route");

const list: z.ZodType<RouteList> = z
  .strictObject({ routes: z.array(info), fileProblem: z.string().nullable() })
  .openapi("RouteList");

const explanation: z.ZodType<RouteExplanation> = z
  .strictObject({
    model: z.string(),
    route: z.string().nullable(),
    steps: z.array(
      z.strictObject({
        upstream: z.string(),
        model: z.string(),
        reason: z.string(),
        used: z.boolean(),
        note: z.string().nullable(),
        breaker: z.enum(["closed", "half_open", "open"]),
        opensInMs: z.number().nullable(),
      }),
    ),
    problem: z.string().nullable(),
  })
  .openapi("RouteExplanation");

const params = z.object({
  name: z.string().openapi({ description: "An alias, a model or a pattern with *, percent-encoded" }),
});

const question = z.strictObject({
  model: z.string().min(1).max(200).default("default"),
  provider: z.string().max(64).optional(),
  dialect: z.enum(ROUTE_DIALECTS).optional(),
  subject: z
    .string()
    .max(300)
    .regex(/^[^/]+\/./, { message: "must be kind/id, e.g. token/owner" })
    .optional()
    .openapi({ description: "kind/id; default token/owner" }),
  session: z.string().max(128).optional(),
});

export const listRoutes = { response: list };
export const putRoute = { params, body: definition, response: info };
export const deleteRoute = { params, response: info };
export const explainRoute = { query: question, response: explanation };
