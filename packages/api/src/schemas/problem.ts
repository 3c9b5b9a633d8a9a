import { z } from "@hono/zod-openapi";
import type { Problem } from "../problem.ts";
import { PROBLEM_CODES } from "../problem.ts";

export const problemSchema: z.ZodType<Problem> = z
  // Some kinds have members of their own (RFC 9457, 3.2).
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.enum(PROBLEM_CODES),
    retryable: z.boolean(),
    retryAfterMs: z.int().min(0).exactOptional(),
    instance: z.string().exactOptional(),
    errors: z.array(z.strictObject({ field: z.string(), message: z.string() })).exactOptional(),
  })
  .openapi("Problem", { description: "RFC 9457 problem document" });
