import { defineContract, MAX_BODY_BYTES } from "../contract-definition.ts";

export const sessions = {
  list: defineContract({
    method: "GET",
    path: "/api/sessions",
    operation: "listSessions",
    summary: "Where you are signed in, newest first",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/sessions.ts").then((schemas) => schemas.listSessions),
  }),
  end: defineContract({
    method: "DELETE",
    path: "/api/sessions/{id}",
    operation: "endSession",
    summary: "Sign out there",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/sessions.ts").then((schemas) => schemas.endSession),
  }),
  endOthers: defineContract({
    method: "DELETE",
    path: "/api/sessions",
    operation: "endOtherSessions",
    summary: "Sign out everywhere but here",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/sessions.ts").then((schemas) => schemas.endSessions),
  }),
  listOfUser: defineContract({
    method: "GET",
    path: "/api/admin/users/{user}/sessions",
    operation: "listSessionsOfUser",
    summary: "Where a user is signed in, newest first",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/sessions.ts").then((schemas) => schemas.listSessionsOfUser),
  }),
  endOfUser: defineContract({
    method: "DELETE",
    path: "/api/admin/users/{user}/sessions",
    operation: "endSessionsOfUser",
    summary: "Sign a user out everywhere",
    reply: "json",
    maxBodyBytes: MAX_BODY_BYTES,
    schemas: () => import("../schemas/sessions.ts").then((schemas) => schemas.endSessionsOfUser),
  }),
} as const;
