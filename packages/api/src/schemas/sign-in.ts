import { z } from "@hono/zod-openapi";
import type { IdentityInfo, SignInProvider } from "../identities.ts";

const time = z.iso.datetime();
const page = z.string();

/** Where to go afterwards. Browsers take a backslash for a slash and leave line ends out: such are no paths of ours. */
export const redirectTo = z
  .string()
  .max(2_000)
  .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/, "must be a path on this server, such as /auth/account")
  .exactOptional();

/** Providers add what they like to their answer. */
const answer = z.looseObject({});

const provider: z.ZodType<SignInProvider> = z
  .strictObject({ name: z.string(), label: z.string() })
  .openapi("SignInProvider");

const identity: z.ZodType<IdentityInfo> = z
  .strictObject({
    id: z.string(),
    provider: z.string(),
    issuer: z.string(),
    subject: z.string(),
    email: z.string(),
    createdAt: time,
    lastUsedAt: time,
  })
  .openapi("Identity", { description: "An account at a provider that belongs to a user" });

const byProvider = z.object({ provider: z.string() });
const way = z.strictObject({ redirect_to: redirectTo });
const one = z.strictObject({ id: z.string().max(100) });

export const listProviders = { response: z.strictObject({ providers: z.array(provider) }) };
export const showSignIn = { query: way, response: page };
export const startSignIn = {
  query: z.strictObject({ email: z.email().max(254), redirect_to: redirectTo }),
  response: page,
};
export const login = { params: byProvider, query: way, response: page };
export const callback = { params: byProvider, query: answer, response: page };
export const showAccount = { response: page };
export const postNothing = { response: page };
export const postId = { body: one, response: page };
export const listIdentities = { response: z.strictObject({ identities: z.array(identity) }) };
export const deleteIdentity = {
  params: z.object({ id: z.string() }),
  response: z.strictObject({ removed: z.string() }),
};
