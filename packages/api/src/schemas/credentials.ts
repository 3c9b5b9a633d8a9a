import { z } from "@hono/zod-openapi";
import {
  CREDENTIAL_LABEL,
  type CredentialChange,
  type CredentialInfo,
  type CredentialList,
  type CredentialSecret,
  MAX_CREDENTIAL_WEIGHT,
  type NewCredential,
} from "../credentials.ts";

const time = z.iso.datetime();
const label = z.string().regex(CREDENTIAL_LABEL, "must be 1 to 64 letters, digits, dots, dashes or underscores");
const weight = z.int().min(1).max(MAX_CREDENTIAL_WEIGHT);
const provider = z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "must be the name of a provider");

/** What can stand in a header. */
const secretText = z
  .string()
  .min(1)
  .max(8_192)
  .regex(/^[\x21-\x7e]+$/, "must be printable characters without spaces");

const tokenEndpoint = z
  .string()
  .max(2_000)
  .refine(isTokenEndpoint, "must be an address with https, or with http on the loopback interface");

const apiKey = z.strictObject({ type: z.literal("api_key"), key: secretText });

const oauth = z.strictObject({
  type: z.literal("oauth"),
  refreshToken: secretText,
  tokenEndpoint,
  clientId: z.string().min(1).max(1_000),
  clientSecret: secretText.exactOptional(),
  accessToken: secretText.exactOptional(),
  expiresAt: time.exactOptional(),
});

export const credentialSecret: z.ZodType<CredentialSecret> = z
  .discriminatedUnion("type", [apiKey, oauth])
  .openapi("CredentialSecret", { description: "Goes in and never comes out" });

const info: z.ZodType<CredentialInfo> = z
  .strictObject({
    id: z.string(),
    provider: z.string(),
    label: z.string(),
    kind: z.enum(["api_key", "oauth"]),
    source: z.enum(["stored", "environment"]),
    state: z.enum(["available", "cooling_down", "disabled"]),
    reason: z.string().nullable(),
    since: time.nullable(),
    until: time.nullable(),
    expiresAt: time.nullable(),
    fingerprint: z.string().nullable(),
    weight,
    createdAt: time.nullable(),
  })
  .openapi("CredentialInfo", { description: "A provider's credential without the credential itself" });

const count = z.int().min(0);

const list: z.ZodType<CredentialList> = z
  .strictObject({
    credentials: z.array(info),
    providers: z.array(
      z.strictObject({
        provider: z.string(),
        health: z.enum(["all", "some", "none"]),
        available: count,
        coolingDown: count,
        disabled: count,
      }),
    ),
  })
  .openapi("CredentialList");

const fresh: z.ZodType<NewCredential> = z
  .strictObject({
    provider,
    label: label.exactOptional(),
    weight: weight.exactOptional(),
    secret: credentialSecret,
  })
  .openapi("NewCredential");

const change: z.ZodType<CredentialChange> = z
  .strictObject({
    enabled: z.boolean().exactOptional(),
    label: label.exactOptional(),
    weight: weight.exactOptional(),
  })
  .openapi("CredentialChange");

const params = z.object({ id: z.string().max(200).openapi({ description: "The credential's id, or its label" }) });

export const listCredentials = { response: list };
export const addCredential = { body: fresh, response: info };
export const changeCredential = { params, body: change, response: info };
export const deleteCredential = { params, response: info };

/** A token is sent there: nobody on the way may read it, and no redirect leads elsewhere. */
function isTokenEndpoint(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return false;
  const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && loopback);
}
