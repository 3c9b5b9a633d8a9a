import { z } from "@hono/zod-openapi";
import { redirectTo } from "./sign-in.ts";

/** As the browser says it (WebAuthn, 5.1): what it holds is looked at by who checks the signature. */
const response = z.looseObject({
  id: z.string().min(1).max(2_000),
  rawId: z.string().min(1).max(2_000),
  type: z.literal("public-key"),
  response: z.looseObject({ clientDataJSON: z.string().min(1).max(8_000) }),
  clientExtensionResults: z.looseObject({}),
});
const told = z.strictObject({ location: z.string() }).openapi("PasskeyTaken");

export const loadScript = { response: z.string() };
export const options = { body: z.strictObject({}), response: z.looseObject({}) };
export const add = { body: z.strictObject({ name: z.string().trim().min(1).max(64), response }), response: told };
export const again = { body: z.strictObject({ response }), response: told };
export const give = { body: z.strictObject({ redirect_to: redirectTo, response }), response: told };
