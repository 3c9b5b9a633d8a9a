import { z } from "@hono/zod-openapi";
import {
  type AccountDeletion,
  GLOBAL_ROLES,
  type ImpersonationState,
  type NewImpersonation,
  type NoticeList,
  type ProfileChange,
  type StartedImpersonation,
  type UserInfo,
  type UserList,
  type UserProfile,
} from "../users.ts";
import { nextCursor, pageQuery } from "./paging.ts";
import { description, displayName, time, userParam } from "./people-fields.ts";

const profile: z.ZodType<UserProfile> = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    displayName: z.string(),
    email: z.string().nullable(),
    showEmail: z.boolean(),
    locale: z.string().nullable(),
    avatarUrl: z.string().nullable(),
    createdAt: time,
    deleted: z.boolean(),
    version: z.int(),
  })
  .openapi("UserProfile");

const profileChange: z.ZodType<ProfileChange> = z
  .strictObject({
    username: z.string().min(3).max(39).openapi({ description: "Letters a to z, digits and _" }).exactOptional(),
    displayName: displayName.exactOptional(),
    showEmail: z.boolean().exactOptional(),
    locale: z
      .string()
      .min(2)
      .max(35)
      .refine(isLocale, "must be a language tag (BCP 47), e.g. en or pt-BR")
      .nullable()
      .exactOptional(),
    avatarUrl: z
      .string()
      .max(2_000)
      .refine(isWebAddress, "must be an address with https and without a password")
      .nullable()
      .exactOptional(),
  })
  .openapi("ProfileChange");

const deletion: z.ZodType<AccountDeletion> = z
  .strictObject({ deletedAt: time, purgeAt: time, restoreToken: z.string() })
  .openapi("AccountDeletion", { description: "The only answer that holds the token to take the deletion back" });

const notices: z.ZodType<NoticeList> = z
  .strictObject({
    notices: z.array(
      z
        .strictObject({
          id: z.string(),
          kind: z.enum(["impersonated", "security"]),
          text: z.string(),
          createdAt: time,
          readAt: time.nullable(),
        })
        .openapi("Notice"),
    ),
    nextCursor,
  })
  .openapi("NoticeList");

const globalRoles = z.array(z.enum(GLOBAL_ROLES)).max(GLOBAL_ROLES.length);

const info: z.ZodType<UserInfo> = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    displayName: z.string(),
    email: z.string(),
    globalRoles,
    createdAt: time,
    disabledAt: time.nullable(),
    deletedAt: time.nullable(),
    purgedAt: time.nullable(),
    version: z.int(),
  })
  .openapi("UserInfo");

const list: z.ZodType<UserList> = z.strictObject({ users: z.array(info), nextCursor }).openapi("UserList");

const newImpersonation: z.ZodType<NewImpersonation> = z
  .strictObject({
    reason: description.min(10, "must say in ten characters or more why").max(500),
    minutes: z.int().min(1).max(60).exactOptional(),
  })
  .openapi("NewImpersonation");

const startedImpersonation: z.ZodType<StartedImpersonation> = z
  .strictObject({ token: z.string(), userId: z.string(), username: z.string(), expiresAt: time })
  .openapi("StartedImpersonation", { description: "The only answer that holds the session's token" });

const impersonationState: z.ZodType<ImpersonationState> = z
  .discriminatedUnion("active", [
    z.strictObject({ active: z.literal(false) }),
    z.strictObject({
      active: z.literal(true),
      userId: z.string(),
      username: z.string(),
      impersonatorId: z.string(),
      impersonatorName: z.string(),
    }),
  ])
  .openapi("ImpersonationState");

const ofId = z.object({ id: z.string().openapi({ description: "A user's id or username, or me" }) });
const ofUser = z.object({ user: userParam });
const page = z.strictObject(pageQuery);

export const getProfile = { params: ofId, response: profile };
export const changeProfile = { body: profileChange, response: profile };
export const deleteAccount = { response: deletion };
export const restoreAccount = { body: z.strictObject({ token: z.string().min(1).max(200) }), response: profile };
export const listNotices = { query: page, response: notices };
export const readNotices = {
  body: z.strictObject({
    ids: z.array(z.string().min(1).max(100)).min(1).max(100).exactOptional().openapi({ description: "Default: all" }),
  }),
  response: z.strictObject({ read: z.int() }).openapi("ReadNotices"),
};
export const listUsers = {
  query: z.strictObject({
    ...pageQuery,
    search: z.string().min(1).max(100).optional().openapi({ description: "A part of a name or address" }),
  }),
  response: list,
};
export const oneUser = { params: ofUser, response: info };
export const setRoles = { params: ofUser, body: z.strictObject({ roles: globalRoles }), response: info };
export const startImpersonation = { params: ofUser, body: newImpersonation, response: startedImpersonation };
export const getImpersonation = { response: impersonationState };

function isLocale(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}

function isWebAddress(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.protocol === "https:" && url.username === "" && url.password === "";
}
