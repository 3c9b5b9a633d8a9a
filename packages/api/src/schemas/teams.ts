import { z } from "@hono/zod-openapi";
import {
  type NewTeam,
  TEAM_ROLES,
  type Team,
  type TeamChange,
  type TeamList,
  type TeamMember,
  type TeamMembers,
} from "../organizations.ts";
import { nextCursor, pageQuery } from "./paging.ts";
import { description, displayName, time, userParam } from "./people-fields.ts";

const role = z.enum(TEAM_ROLES);
const slug = z
  .string()
  .min(2)
  .max(50)
  .regex(/^[a-z0-9](?:-?[a-z0-9])*$/, "must be lower-case letters, digits and single hyphens between them");

const team: z.ZodType<Team> = z
  .strictObject({
    id: z.string(),
    organization: z.string(),
    slug: z.string(),
    name: z.string(),
    description: z.string(),
    createdAt: time,
    version: z.int(),
  })
  .openapi("Team");

const fields = { name: displayName.exactOptional(), description: description.exactOptional() };
const fresh: z.ZodType<NewTeam> = z.strictObject({ slug, ...fields }).openapi("NewTeam");
const change: z.ZodType<TeamChange> = z.strictObject({ slug: slug.exactOptional(), ...fields }).openapi("TeamChange");
const list: z.ZodType<TeamList> = z.strictObject({ teams: z.array(team), nextCursor }).openapi("TeamList");
const member: z.ZodType<TeamMember> = z
  .strictObject({
    userId: z.string(),
    username: z.string(),
    displayName: z.string(),
    role,
    joinedAt: time,
    version: z.int(),
  })
  .openapi("TeamMember");
const members: z.ZodType<TeamMembers> = z.strictObject({ members: z.array(member), nextCursor }).openapi("TeamMembers");

const org = z.string().openapi({ description: "The organization's id or slug" });
const teamParam = z.string().openapi({ description: "The team's id or slug" });
const ofOrganization = z.object({ org });
const ofTeam = z.object({ org, team: teamParam });
const ofMember = z.object({ org, team: teamParam, user: userParam });
const page = z.strictObject(pageQuery);

export const listTeams = { params: ofOrganization, query: page, response: list };
export const createTeam = { params: ofOrganization, body: fresh, response: team };
export const getTeam = { params: ofTeam, response: team };
export const changeTeam = { params: ofTeam, body: change, response: team };
export const listTeamMembers = { params: ofTeam, query: page, response: members };
export const getTeamMember = { params: ofMember, response: member };
export const putTeamMember = { params: ofMember, body: z.strictObject({ role }), response: member };
export const removeTeamMember = { params: ofMember, response: member };
