import { z } from "@hono/zod-openapi";
import type { JsonObject } from "@loom/core";
import { AUDIT_OUTCOMES, type AuditPage, type AuditRecord } from "../audit.ts";
import { nextCursor, pageQuery } from "./paging.ts";

const MAX_FILTER = 256;

const filter = (meaning: string) =>
  z
    .string()
    .min(1)
    .max(MAX_FILTER)
    .regex(/^[^\0]*$/, "must not hold a NUL")
    .optional()
    .openapi({ description: meaning });
const time = z.union([z.iso.datetime({ offset: true }), z.iso.date()]).optional();

const ofOrganization = {
  actor: filter("Only what this actor did: the id of a user, key or token, or `owner`."),
  impersonator: filter("Only what this user did in another's place."),
  family: filter("Only events whose name begins with this and a dot, e.g. `session`."),
  event: filter("Only this event, e.g. `session.created`."),
  target: filter("Only what was done to the thing with this id."),
  address: filter("Only requests from this address."),
  outcome: z.enum(AUDIT_OUTCOMES).optional(),
  from: time.openapi({ description: "Only what happened at this time or later." }),
  to: time.openapi({ description: "Only what happened before this time." }),
};

const everywhere = { ...ofOrganization, organization: filter("Only what concerns the organization with this id.") };

const format = z.enum(["jsonl", "csv"]).optional().openapi({ description: "Default: jsonl." });
const params = z.strictObject({ org: z.string().openapi({ description: "The organization's slug or id." }) });
const text = z.string();
// Not `z.json()`, which refers to itself and has no end in the OpenAPI document.
const facts = (z.record(z.string(), z.unknown()) as unknown as z.ZodType<JsonObject>).nullable();

const record: z.ZodType<AuditRecord> = z
  .strictObject({
    seq: z.int(),
    id: text,
    at: text,
    event: text,
    severity: text,
    outcome: text,
    actor: z.strictObject({ type: text, id: text, name: text, via: text.nullable() }),
    impersonator: z.strictObject({ id: text, name: text }).nullable(),
    target: z.strictObject({ type: text, id: text, name: text.nullable() }).nullable(),
    organization: text.nullable(),
    address: text.nullable(),
    place: text.nullable(),
    requestId: text.nullable(),
    userAgent: text.nullable(),
    policy: text.nullable(),
    before: facts,
    after: facts,
    details: facts,
    previousHash: text,
    hash: text,
  })
  .openapi("AuditRecord");

const page: z.ZodType<AuditPage> = z.strictObject({ events: z.array(record), nextCursor }).openapi("AuditPage");

export const listAudit = { query: z.strictObject({ ...everywhere, ...pageQuery }), response: page };
export const exportAudit = { query: z.strictObject({ ...everywhere, format }), response: z.string() };
export const listOrganizationAudit = {
  params,
  query: z.strictObject({ ...ofOrganization, ...pageQuery }),
  response: page,
};
export const exportOrganizationAudit = {
  params,
  query: z.strictObject({ ...ofOrganization, format }),
  response: z.string(),
};
