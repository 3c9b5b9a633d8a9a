import { z } from "@hono/zod-openapi";

/** Control characters and those that turn the direction of text make one name look like another. */
const ONE_LINE = /^[^\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]*$/u;
const SEVERAL_LINES = /^(?:[\t\n]|[^\p{Cc}\u202a-\u202e\u2066-\u2069])*$/u;

export const displayName = z
  .string()
  .min(1)
  .max(100)
  .regex(ONE_LINE, "must be one line without control characters")
  .regex(/\S/, "must not be blank");
export const description = z.string().max(1_000).regex(SEVERAL_LINES, "must be without control characters");
export const time = z.iso.datetime();
export const userParam = z.string().openapi({ description: "A user's id or username" });
