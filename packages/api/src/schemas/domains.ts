import { z } from "@hono/zod-openapi";
import type { DomainClaim, DomainClaimList, MailDomainInfo, MailDomainList } from "../mail-domains.ts";
import { nextCursor, pageQuery } from "./paging.ts";

const mailDomain: z.ZodType<MailDomainInfo> = z
  .strictObject({
    domain: z.string(),
    organization: z.string(),
    provider: z.string(),
    forced: z.boolean(),
    createdAt: z.iso.datetime(),
  })
  .openapi("MailDomain", { description: "A mail domain that an organization has, and whom its people sign in with" });

const time = z.iso.datetime();

const claim: z.ZodType<DomainClaim> = z
  .strictObject({
    domain: z.string(),
    organization: z.string(),
    state: z.enum(["claimed", "proven"]),
    record: z.strictObject({ name: z.string(), type: z.literal("TXT"), value: z.string() }),
    createdAt: time,
    expiresAt: time.nullable(),
    provenAt: time.nullable(),
    provider: z.string().nullable(),
    forced: z.boolean(),
    version: z.int(),
  })
  .openapi("DomainClaim", { description: "A mail domain that an organization says is its own" });

const claims: z.ZodType<DomainClaimList> = z
  .strictObject({ domains: z.array(claim), nextCursor })
  .openapi("DomainClaimList");

const list: z.ZodType<MailDomainList> = z
  .strictObject({ domains: z.array(mailDomain), nextCursor })
  .openapi("MailDomainList");

const params = z.object({ domain: z.string() });
const body = z
  .strictObject({ organization: z.string().min(1).max(100), provider: z.string().max(40), forced: z.boolean() })
  .openapi("MailDomainWish");

export const listDomains = { query: z.strictObject(pageQuery), response: list };
export const putDomain = { params, body, response: mailDomain };
export const deleteDomain = { params, response: z.strictObject({ removed: z.string() }) };

const org = z.string().openapi({ description: "The organization's id or slug" });
const ofClaim = z.object({ org, domain: z.string() });

export const listClaims = { params: z.object({ org }), query: z.strictObject(pageQuery), response: claims };
export const claimDomain = {
  params: z.object({ org }),
  body: z.strictObject({ domain: z.string().min(1).max(253) }).openapi("NewDomainClaim"),
  response: claim,
};
export const oneClaim = { params: ofClaim, response: claim };
export const changeClaim = {
  params: ofClaim,
  body: z
    .strictObject({ provider: z.string().min(1).max(40).nullable().optional(), forced: z.boolean().optional() })
    .openapi("DomainRule"),
  response: claim,
};
