import { z } from "@hono/zod-openapi";
import type { MailDomainInfo, MailDomainList } from "../mail-domains.ts";
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
