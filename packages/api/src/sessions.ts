/** A session that is live, without its token. Times are RFC 3339. */
export type SessionInfo = {
  readonly id: string;
  readonly kind: "web" | "cli" | "editor";
  /** Whether it is the one that asks. */
  readonly current: boolean;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  /** When it ends if it is not used any more. */
  readonly expiresAt: string;
  /** From where it was started. */
  readonly address: string;
  /** As its `User-Agent` says, e.g. `Firefox on Linux`. */
  readonly device: string;
  /** ISO 3166-1, two letters; null where it is not known. */
  readonly country: string | null;
  /** Who acts in the user's place. */
  readonly impersonator: { readonly id: string; readonly name: string } | null;
};

export type SessionList = { readonly sessions: readonly SessionInfo[]; readonly nextCursor: string | null };

export type EndedSessions = { readonly ended: number };

/** Opens one WebSocket, within half a minute. */
export type WebSocketTicket = { readonly ticket: string; readonly expiresAt: string };
