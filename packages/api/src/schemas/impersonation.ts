import { z } from "@hono/zod-openapi";
import { description, userParam } from "./people-fields.ts";

const page = z.string();
const params = z.object({ user: userParam });

export const whom = { query: z.strictObject({ user: z.string().min(1).max(100).optional() }), response: page };
export const why = { params, response: page };
export const begin = {
  params,
  body: z.strictObject({
    reason: description.min(10, "must say in ten characters or more why").max(500),
    minutes: z.coerce.number().int().min(1).max(60).default(60),
  }),
  response: page,
};
export const end = { response: page };
