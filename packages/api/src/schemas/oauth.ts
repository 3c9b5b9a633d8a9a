import { z } from "zod";

/** RFC 6749, 3.1 and 3.2: parameters that are not known are ignored; what is missing is told in OAuth's own words. */
const parameter = z.string().max(2_000).optional();

const tokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal("Bearer"),
  /** Seconds. */
  expires_in: z.int(),
  scope: z.string(),
});

/** RFC 6749, 5.2. */
const oauthError = z.object({ error: z.string(), error_description: z.string().optional() });

export const metadata = {
  response: z.object({
    issuer: z.string(),
    authorization_endpoint: z.string(),
    token_endpoint: z.string(),
    device_authorization_endpoint: z.string(),
    grant_types_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    code_challenge_methods_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    scopes_supported: z.array(z.string()),
    authorization_response_iss_parameter_supported: z.boolean(),
  }),
};

export const deviceAuthorization = {
  body: z.object({ client_id: parameter, scope: parameter }),
  response: z.union([
    z.object({
      device_code: z.string(),
      user_code: z.string(),
      verification_uri: z.string(),
      verification_uri_complete: z.string(),
      /** Seconds. */
      expires_in: z.int(),
      /** Seconds between two questions of the device. */
      interval: z.int(),
    }),
    oauthError,
  ]),
};

export const token = {
  body: z.object({
    grant_type: parameter,
    client_id: parameter,
    device_code: parameter,
    code: parameter,
    code_verifier: parameter,
    redirect_uri: parameter,
  }),
  response: z.union([tokenResponse, oauthError]),
};

const authorizationRequest = z.object({
  response_type: parameter,
  client_id: parameter,
  redirect_uri: parameter,
  scope: parameter,
  state: parameter,
  code_challenge: parameter,
  code_challenge_method: parameter,
});

export const authorize = { query: authorizationRequest, response: z.string() };

export const decideAuthorization = {
  body: authorizationRequest.extend({ decision: z.enum(["allow", "deny"]) }),
  response: z.string(),
};

/** Who the token, key or session belongs to. */
export const whoami = {
  response: z.object({
    /** `owner`, `token`, `user` or `organization_key`. */
    type: z.string(),
    id: z.string(),
    /** The username, or the name of the token or key. */
    name: z.string(),
    email: z.string().optional(),
    globalRoles: z.array(z.string()).optional(),
    organizations: z.array(z.object({ id: z.string(), role: z.string() })).optional(),
    /** Of a key or token that may not do everything. */
    scopes: z.array(z.string()).optional(),
    /** Who acts in the user's place. */
    impersonator: z.string().optional(),
  }),
};

export const devicePage = { query: z.object({ user_code: parameter }), response: z.string() };

export const decideDevice = {
  body: z.object({ user_code: z.string().max(100), decision: z.enum(["look", "allow", "deny"]) }),
  response: z.string(),
};
