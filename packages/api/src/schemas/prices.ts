import { z } from "@hono/zod-openapi";
import type { PriceOverride, PriceOverrideInput, PriceOverrides } from "../prices.ts";

/** A million dollars for a million tokens: more is a mistake. */
const MAX_PRICE = 1e12;
const MAX_NAME = 200;

const price = z.int().min(0).max(MAX_PRICE);
const name = z
  .string()
  .min(1)
  .max(MAX_NAME)
  .regex(/^[^\p{Cc}\s]+$/u, { message: "must not hold spaces or control characters" });

const prices = z
  .strictObject({
    input: price,
    output: price,
    cacheRead: price.optional(),
    cacheWrite: price.optional(),
    cacheWriteLong: price.optional(),
  })
  .openapi("TokenPrices", { description: "In micro-dollars for a million tokens." });

const model = name.refine((text) => !text.slice(1, -1).includes("*"), {
  message: "may have a * at its beginning and its end only",
});

const input: z.ZodType<PriceOverrideInput> = z
  .strictObject({
    provider: name,
    model,
    effectiveFrom: z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional(),
    prices,
  })
  .openapi("PriceOverrideInput");

const override: z.ZodType<PriceOverride> = z
  .strictObject({
    id: z.string(),
    provider: z.string(),
    model: z.string(),
    effectiveFrom: z.string().nullable(),
    prices,
    createdAt: z.string(),
  })
  .openapi("PriceOverride");

const list: z.ZodType<PriceOverrides> = z.strictObject({ prices: z.array(override) }).openapi("PriceOverrides");

export const listPrices = { response: list };
export const putPrice = { body: input, response: override };
export const deletePrice = { params: z.object({ id: z.string().max(MAX_NAME) }), response: override };
