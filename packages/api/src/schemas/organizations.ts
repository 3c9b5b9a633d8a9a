import { z } from "@hono/zod-openapi";
import {
  type Invitation,
  type InvitationList,
  type InvitationView,
  JOIN_POLICIES,
  JOIN_REQUEST_STATES,
  type Joined,
  type JoinRequest,
  type JoinRequestList,
  type MintedInvitation,
  type NewInvitation,
  type NewOrganization,
  ORGANIZATION_ROLES,
  ORGANIZATION_VISIBILITIES,
  type Organization,
  type OrganizationChange,
  type OrganizationList,
  type OrganizationMember,
  type OrganizationMembers,
} from "../organizations.ts";
import { nextCursor, pageQuery } from "./paging.ts";
import { description, displayName, time, userParam } from "./people-fields.ts";

const role = z.enum(ORGANIZATION_ROLES);
const slug = z
  .string()
  .min(3)
  .max(50)
  .regex(/^[a-z0-9](?:-?[a-z0-9])*$/, "must be lower-case letters, digits and single hyphens between them");

const organization: z.ZodType<Organization> = z
  .strictObject({
    id: z.string(),
    slug: z.string(),
    name: z.string(),
    description: z.string(),
    visibility: z.enum(ORGANIZATION_VISIBILITIES),
    joinPolicy: z.enum(JOIN_POLICIES),
    requireSecondFactor: z
      .boolean()
      .openapi({ description: "Members get nothing of it unless they have signed in with a second factor" }),
    personal: z.boolean(),
    createdAt: time,
    deletedAt: time.nullable(),
    version: z.int(),
    role: role.nullable(),
  })
  .openapi("Organization");

const fields = {
  name: displayName.exactOptional(),
  description: description.exactOptional(),
  visibility: z.enum(ORGANIZATION_VISIBILITIES).exactOptional(),
  joinPolicy: z.enum(JOIN_POLICIES).exactOptional(),
};

const fresh: z.ZodType<NewOrganization> = z
  .strictObject({ slug, ...fields, owner: z.string().min(1).max(100).exactOptional() })
  .openapi("NewOrganization");

const change: z.ZodType<OrganizationChange> = z
  .strictObject({
    slug: slug.exactOptional(),
    ...fields,
    requireSecondFactor: z
      .boolean()
      .openapi({ description: "For a person who has signed in with his own second factor" })
      .exactOptional(),
  })
  .openapi("OrganizationChange");

const list: z.ZodType<OrganizationList> = z
  .strictObject({ organizations: z.array(organization), nextCursor })
  .openapi("OrganizationList");

const member: z.ZodType<OrganizationMember> = z
  .strictObject({
    userId: z.string(),
    username: z.string(),
    displayName: z.string(),
    role,
    joinedAt: time,
    version: z.int(),
  })
  .openapi("OrganizationMember");

const members: z.ZodType<OrganizationMembers> = z
  .strictObject({ members: z.array(member), nextCursor })
  .openapi("OrganizationMembers");

const invitation: z.ZodType<Invitation> = z
  .strictObject({
    id: z.string(),
    organization: z.string(),
    email: z.string(),
    role,
    invitedBy: z.string(),
    createdAt: time,
    expiresAt: time,
    state: z.enum(["pending", "accepted", "declined", "cancelled", "expired"]),
  })
  .openapi("Invitation", { description: "An invitation without its token" });

const invitations: z.ZodType<InvitationList> = z
  .strictObject({ invitations: z.array(invitation), nextCursor })
  .openapi("InvitationList");

const freshInvitation: z.ZodType<NewInvitation> = z
  .strictObject({
    email: z
      .string()
      .max(254)
      .regex(/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u, "must be an e-mail address")
      .exactOptional(),
    username: z.string().min(1).max(100).exactOptional(),
    role: role.exactOptional(),
  })
  .refine((value) => (value.email === undefined) !== (value.username === undefined), {
    message: "needs an e-mail address or a username, and not both",
    path: ["email"],
  })
  .openapi("NewInvitation");

const mintedInvitation: z.ZodType<MintedInvitation> = z
  .strictObject({ token: z.string().nullable(), invitation })
  .openapi("MintedInvitation", { description: "The only answer that holds the invitation's token" });

const view: z.ZodType<InvitationView> = z
  .strictObject({
    organization: z.strictObject({ slug: z.string(), name: z.string() }),
    role,
    invitedBy: z.string(),
    expiresAt: time,
    state: z.enum(["pending", "accepted", "declined", "cancelled", "expired"]),
  })
  .openapi("InvitationView");

const joinRequest: z.ZodType<JoinRequest> = z
  .strictObject({
    id: z.string(),
    organization: z.string(),
    userId: z.string(),
    username: z.string(),
    message: z.string(),
    createdAt: time,
    state: z.enum(JOIN_REQUEST_STATES),
  })
  .openapi("JoinRequest");

const joinRequests: z.ZodType<JoinRequestList> = z
  .strictObject({ requests: z.array(joinRequest), nextCursor })
  .openapi("JoinRequestList");

const joined: z.ZodType<Joined> = z.strictObject({ state: z.enum(["joined", "requested"]) }).openapi("Joined");

const org = z.string().openapi({ description: "The organization's id or slug" });
const ofOrganization = z.object({ org });
const ofMember = z.object({ org, user: userParam });
const ofItem = z.object({ org, id: z.string() });
const page = z.strictObject(pageQuery);
const token = z.string().min(1).max(200);

export const listOrganizations = {
  query: z.strictObject({
    ...pageQuery,
    which: z.enum(["mine", "all", "deleted"]).default("mine").openapi({
      description: "mine: those that the asker belongs to; all: the public ones too; deleted: those to restore",
    }),
  }),
  response: list,
};
export const createOrganization = { body: fresh, response: organization };
export const getOrganization = { params: ofOrganization, response: organization };
export const changeOrganization = { params: ofOrganization, body: change, response: organization };
export const listMembers = { params: ofOrganization, query: page, response: members };
export const getMember = { params: ofMember, response: member };
export const putMember = { params: ofMember, body: z.strictObject({ role }), response: member };
export const removeMember = { params: ofMember, response: member };
export const join = {
  params: ofOrganization,
  body: z.strictObject({ message: description.exactOptional() }),
  response: joined,
};
export const withdrawJoin = { params: ofOrganization, response: joinRequest };
export const listInvitations = { params: ofOrganization, query: page, response: invitations };
export const createInvitation = { params: ofOrganization, body: freshInvitation, response: mintedInvitation };
export const cancelInvitation = { params: ofItem, response: invitation };
export const viewInvitation = {
  params: z.object({ token: z.string().openapi({ description: "The invitation's token" }) }),
  response: view,
};
export const answerInvitation = { body: z.strictObject({ token }), response: view };
export const listJoinRequests = {
  params: ofOrganization,
  query: z.strictObject({
    ...pageQuery,
    state: z
      .enum([...JOIN_REQUEST_STATES, "all"])
      .default("pending")
      .openapi({ description: "Those in this state" }),
  }),
  response: joinRequests,
};
export const decideJoinRequest = { params: ofItem, response: joinRequest };
