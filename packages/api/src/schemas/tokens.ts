import { z } from "@hono/zod-openapi";
import {
  type MintedToken,
  type NewToken,
  TOKEN_NAME,
  TOKEN_SCOPES,
  type TokenInfo,
  type TokenList,
} from "../tokens.ts";
import { budgetLimits } from "./budgets.ts";

const time = z.iso.datetime();

const tokenInfo: z.ZodType<TokenInfo> = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(TOKEN_SCOPES)),
    createdAt: time,
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable(),
    revokedAt: time.nullable(),
    limits: budgetLimits,
  })
  .openapi("TokenInfo", { description: "An access token without the token itself" });

const tokenList: z.ZodType<TokenList> = z.strictObject({ tokens: z.array(tokenInfo) }).openapi("TokenList");

const newToken: z.ZodType<NewToken> = z
  .strictObject({
    name: z.string().regex(TOKEN_NAME, "must be 1 to 64 letters, digits, dots, dashes or underscores"),
    scopes: z.array(z.enum(TOKEN_SCOPES)).min(1).exactOptional(),
    expiresAt: time.exactOptional(),
    limits: budgetLimits.exactOptional(),
  })
  .openapi("NewToken");

const mintedToken: z.ZodType<MintedToken> = z
  .strictObject({ token: z.string(), info: tokenInfo })
  .openapi("MintedToken", { description: "The only answer that holds the token" });

const params = z.object({ id: z.string().openapi({ description: "The token's id, or its name" }) });

export const listTokens = { response: tokenList };
export const createToken = { body: newToken, response: mintedToken };
export const revokeToken = { params, response: tokenInfo };
