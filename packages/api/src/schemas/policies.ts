import { z } from "@hono/zod-openapi";
import {
  MAX_POLICY_CHARACTERS,
  type NewOrganizationPolicy,
  type OrganizationPolicy,
  type OrganizationPolicyList,
  type PolicyExplanation,
} from "../policies.ts";

const policy: z.ZodType<OrganizationPolicy> = z
  .strictObject({
    name: z.string(),
    text: z.string(),
    version: z.int(),
    updatedAt: z.iso.datetime(),
    updatedBy: z.string(),
  })
  .openapi("OrganizationPolicy");

const policyList: z.ZodType<OrganizationPolicyList> = z
  .strictObject({ policies: z.array(policy) })
  .openapi("OrganizationPolicyList");

const newPolicy: z.ZodType<NewOrganizationPolicy> = z
  .strictObject({
    text: z.string().min(1).max(MAX_POLICY_CHARACTERS).openapi({ description: "In Cedar: one forbid" }),
  })
  .openapi("NewOrganizationPolicy");

const explanation: z.ZodType<PolicyExplanation> = z
  .strictObject({
    allowed: z.boolean(),
    policy: z.string(),
    says: z.string(),
    text: z.string(),
    needed: z.array(z.strictObject({ policy: z.string(), says: z.string(), missing: z.string() })),
  })
  .openapi("PolicyExplanation");

const word = z.string().min(1).max(200);
const org = z.string().openapi({ description: "An organization's id or slug" });
const params = z.object({ org, name: z.string() });

export const listPolicies = { params: z.object({ org }), response: policyList };
export const getPolicy = { params, response: policy };
export const putPolicy = { params, body: newPolicy, response: policy };
export const explainPolicy = {
  query: z.object({
    subject: word.openapi({ description: "A user's id or username, or owner, or anonymous" }),
    action: word,
    resource: word.openapi({ description: "A type, e.g. thread" }),
    id: word.optional(),
    owner: word.optional(),
    organization: word.optional(),
    team: word.optional(),
    visibility: z.enum(["private", "team", "organization", "unlisted", "public"]).optional(),
    sharedWithSupport: z.enum(["true", "false"]).optional(),
    secondFactor: z.enum(["true", "false"]).optional().openapi({
      description: "Whether the session began, or the key was made, with the user's second factor",
    }),
    scopes: word.optional().openapi({ description: "As by an API key that has these, separated by commas" }),
  }),
  response: explanation,
};
