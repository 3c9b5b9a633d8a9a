import { hash } from "node:crypto";
import type { WebSocketTicket } from "@loom/api";
import { mintToken } from "../../kit/auth.ts";
import type { Database } from "../../kit/database.ts";
import type { Subject } from "../../kit/subject.ts";
import type { SessionTables } from "./migrations.ts";
import type { SessionService } from "./service.ts";

/** From asking for a ticket to opening the socket, a page needs one round trip. */
const TICKET_MS = 30_000;
const SHAPE = /^lw_[A-Za-z0-9_-]{43}$/;

/** Browsers cannot send a header with a WebSocket, and a token in an address ends up in logs: so a ticket goes there. */
export type Tickets = {
  issue(sessionId: string): Promise<WebSocketTicket>;
  /** Who brings it: once, and while the session that it was issued to is live. */
  redeem(ticket: string): Promise<Subject | undefined>;
  removeExpired(): Promise<void>;
};

const ALONE = { lock: null };

export function createTickets(options: {
  readonly database: () => Promise<Database>;
  readonly sessions: Pick<SessionService, "subjectOf">;
  /** Milliseconds. */
  readonly wall: () => number;
}): Tickets {
  const { database, sessions, wall } = options;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    async issue(sessionId) {
      const ticket = mintToken("lw_").expose();
      const expiresAt = iso(wall() + TICKET_MS);
      const row = { ticket_hash: digest(ticket), session_id: sessionId, expires_at: expiresAt };
      await (await database()).write<SessionTables, unknown>(
        (db) => db.insertInto("web_socket_ticket").values(row).execute(),
        ALONE,
      );
      return { ticket, expiresAt };
    },
    async redeem(ticket) {
      if (!SHAPE.test(ticket)) return undefined;
      // One statement takes it: of two who bring it, one gets it.
      const row = await (await database()).write<SessionTables, SessionTables["web_socket_ticket"] | undefined>(
        (db) =>
          db
            .deleteFrom("web_socket_ticket")
            .where("ticket_hash", "=", digest(ticket))
            .returningAll()
            .executeTakeFirst(),
        ALONE,
      );
      return row === undefined || row.expires_at <= iso(wall()) ? undefined : sessions.subjectOf(row.session_id);
    },
    async removeExpired() {
      await (await database()).write<SessionTables, unknown>(
        (db) => db.deleteFrom("web_socket_ticket").where("expires_at", "<=", iso(wall())).execute(),
        ALONE,
      );
    },
  };
}

function digest(ticket: string): Buffer {
  return hash("sha256", ticket, "buffer");
}
