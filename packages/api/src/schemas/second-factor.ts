import { z } from "@hono/zod-openapi";
import type { FactorInfo, FactorList } from "../factors.ts";
import { redirectTo } from "./sign-in.ts";

const time = z.iso.datetime();
const page = z.string();
/** With what people put between: six digits, or a recovery code. */
const code = z.string().min(1).max(64);
const id = z.string().min(1).max(100);

const factor: z.ZodType<FactorInfo> = z
  .strictObject({
    id: z.string(),
    type: z.enum(["totp", "passkey"]),
    name: z.string(),
    createdAt: time,
    lastUsedAt: time.nullable(),
  })
  .openapi("Factor", { description: "A second factor without what it is made of" });

const factorList: z.ZodType<FactorList> = z
  .strictObject({ factors: z.array(factor), recoveryCodesLeft: z.int() })
  .openapi("FactorList");

export const showSecondFactor = { query: z.strictObject({ redirect_to: redirectTo }), response: page };
export const giveSecondFactor = { body: z.strictObject({ code, redirect_to: redirectTo }), response: page };
export const showFactors = { response: page };
export const beginTotp = { body: z.strictObject({ name: z.string().trim().min(1).max(64) }), response: page };
export const confirmTotp = { body: z.strictObject({ id, code }), response: page };
export const postFactor = { body: z.strictObject({ id }), response: page };
export const confirmAgain = { body: z.strictObject({ code }), response: page };
export const listFactors = { response: factorList };
export const removeFactorsOfUser = {
  params: z.object({ user: z.string().openapi({ description: "The user's id" }) }),
  response: z.strictObject({ removed: z.int() }).openapi("RemovedFactors"),
};
