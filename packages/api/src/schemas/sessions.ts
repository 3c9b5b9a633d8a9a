import { z } from "@hono/zod-openapi";
import type { EndedSessions, SessionInfo, SessionList, WebSocketTicket } from "../sessions.ts";
import { nextCursor, pageQuery } from "./paging.ts";

const time = z.iso.datetime();

const sessionInfo: z.ZodType<SessionInfo> = z
  .strictObject({
    id: z.string(),
    kind: z.enum(["web", "cli", "editor"]),
    current: z.boolean(),
    createdAt: time,
    lastUsedAt: time,
    expiresAt: time,
    address: z.string(),
    device: z.string(),
    country: z.string().nullable(),
    impersonator: z.strictObject({ id: z.string(), name: z.string() }).nullable(),
  })
  .openapi("SessionInfo", { description: "A session that is live, without its token" });

const sessionList: z.ZodType<SessionList> = z
  .strictObject({ sessions: z.array(sessionInfo), nextCursor })
  .openapi("SessionList");

const ended: z.ZodType<EndedSessions> = z.strictObject({ ended: z.int() }).openapi("EndedSessions");

const ticket: z.ZodType<WebSocketTicket> = z
  .strictObject({ ticket: z.string(), expiresAt: time })
  .openapi("WebSocketTicket", { description: "Opens one WebSocket, within half a minute" });

const query = z.strictObject(pageQuery);
const ofUser = z.object({ user: z.string().openapi({ description: "The user's id" }) });

export const listSessions = { query, response: sessionList };
export const endSession = { params: z.object({ id: z.string() }), response: ended };
export const endSessions = { response: ended };
export const listSessionsOfUser = { params: ofUser, query, response: sessionList };
export const endSessionsOfUser = { params: ofUser, response: ended };
export const endSessionOfUser = {
  params: z.object({ user: z.string().openapi({ description: "The user's id" }), id: z.string() }),
  response: ended,
};
export const createTicket = { response: ticket };
