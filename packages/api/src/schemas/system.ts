import { z } from "@hono/zod-openapi";

const health = z.strictObject({ status: z.literal("ok") }).openapi("Health");

const readiness = z
  .strictObject({
    status: z.enum(["ready", "not_ready"]),
    checks: z.record(z.string(), z.enum(["ok", "failed"])),
    details: z.record(z.string(), z.record(z.string(), z.unknown())).openapi({
      description: "What there is to say about a check, e.g. how many credentials of each provider can be used",
    }),
  })
  .openapi("Readiness");

const document = z
  .custom<Readonly<Record<string, unknown>>>()
  .openapi({ type: "object", description: "An OpenAPI 3.1 document", additionalProperties: true });

export const healthz = { response: health };
export const readyz = { response: readiness };
export const metrics = { response: z.string() };
export const openApi = { response: document };
