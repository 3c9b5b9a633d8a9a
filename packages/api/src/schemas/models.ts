import { z } from "@hono/zod-openapi";
import type { Models } from "../models.ts";

const modelChoice = z.strictObject({ provider: z.string(), model: z.string() }).openapi("ModelChoice");

const models: z.ZodType<Models> = z
  .strictObject({
    default: modelChoice.nullable(),
    fast: modelChoice.nullable(),
    providers: z.array(
      z
        .strictObject({
          name: z.string(),
          configured: z.boolean(),
          defaultModel: z.string().nullable(),
          fastModel: z.string().nullable(),
        })
        .openapi("ProviderModels"),
    ),
  })
  .openapi("Models");

export const listModels = { response: models };
