import { z } from "@hono/zod-openapi";
import {
  type ApiKeyInfo,
  type ApiKeyList,
  type ApiKeyRotation,
  MAX_KEY_OVERLAP_SECONDS,
  type MintedApiKey,
  type NewApiKey,
} from "../api-keys.ts";
import { TOKEN_NAME, TOKEN_SCOPES } from "../tokens.ts";
import { nextCursor, pageQuery } from "./paging.ts";

const time = z.iso.datetime();

const owner = z.strictObject({ type: z.enum(["user", "organization"]), id: z.string() });

const keyInfo: z.ZodType<ApiKeyInfo> = z
  .strictObject({
    id: z.string(),
    owner,
    name: z.string(),
    scopes: z.array(z.enum(TOKEN_SCOPES)),
    lastFour: z.string(),
    createdAt: time,
    createdBy: z.strictObject({ id: z.string(), name: z.string() }),
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable(),
    lastUsedFrom: z.string().nullable(),
    revokedAt: time.nullable(),
    replacedBy: z.string().nullable(),
  })
  .openapi("ApiKeyInfo", { description: "An API key without the key itself" });

const keyList: z.ZodType<ApiKeyList> = z.strictObject({ keys: z.array(keyInfo), nextCursor }).openapi("ApiKeyList");

const newKey: z.ZodType<NewApiKey> = z
  .strictObject({
    name: z.string().regex(TOKEN_NAME, "must be 1 to 64 letters, digits, dots, dashes or underscores"),
    scopes: z.array(z.enum(TOKEN_SCOPES)).min(1).max(TOKEN_SCOPES.length).exactOptional(),
    expiresAt: time.exactOptional(),
  })
  .openapi("NewApiKey");

const mintedKey: z.ZodType<MintedApiKey> = z
  .strictObject({ key: z.string().nullable(), info: keyInfo })
  .openapi("MintedApiKey", { description: "The only answer that holds the key" });

const rotation: z.ZodType<ApiKeyRotation> = z
  .strictObject({ overlapSeconds: z.int().min(0).max(MAX_KEY_OVERLAP_SECONDS).exactOptional() })
  .openapi("ApiKeyRotation");

const query = z.strictObject(pageQuery);
const ofOrganization = z.object({ org: z.string().openapi({ description: "The organization's slug or id" }) });
const params = z.object({ id: z.string().openapi({ description: "The key's id" }) });

export const listKeys = { query, response: keyList };
export const createKey = { body: newKey, response: mintedKey };
export const listKeysOfOrganization = { params: ofOrganization, query, response: keyList };
export const createKeyOfOrganization = { params: ofOrganization, body: newKey, response: mintedKey };
export const rotateKey = { params, body: rotation, response: mintedKey };
export const revokeKey = { params, response: keyInfo };
