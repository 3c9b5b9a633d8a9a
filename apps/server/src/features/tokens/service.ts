import { randomUUIDv7 } from "node:crypto";
import type { BudgetLimits, MintedToken, NewToken, TokenInfo } from "@loom/api";
import { TOKEN_NAME } from "@loom/api";
import { type Authenticate, hashToken, mintToken } from "../../kit/auth.ts";
import type { Log } from "../../kit/log.ts";
import { createAuthentication } from "./authentication.ts";
import type { StoredToken, TokenStore } from "./store.ts";

/** What is wrong with the wish for a token, or with the name of one. `message` is a whole sentence. */
export class TokenError extends Error {
  override readonly name = "TokenError";
  readonly reason: "wrong" | "taken" | "unknown";

  constructor(reason: TokenError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

export type TokenService = {
  readonly authenticate: Authenticate;
  list(): Promise<readonly TokenInfo[]>;
  /** @throws TokenError */
  /** `undefined` where there is no such token. */
  idOf(idOrName: string): Promise<string | undefined>;
  show(idOrName: string): Promise<TokenInfo>;
  /** @throws TokenError where the name is taken or the token would have expired already */
  create(wish: NewToken): Promise<MintedToken>;
  /** Gives the token as it was; `isNew`: not where it was revoked before. @throws TokenError */
  revoke(idOrName: string): Promise<{ readonly info: TokenInfo; readonly isNew: boolean }>;
  /** Forgets the tokens that other processes have revoked. */
  followRevocations(): Promise<void>;
  /** Writes down when tokens were used last. */
  saveUses(): Promise<void>;
};

/** The limits of tokens, which are those of the node `token` and its id. */
export type TokenLimits = {
  refreshRules(): Promise<void>;
  get(kind: "token", id: string): { readonly limits: BudgetLimits } | undefined;
  put(kind: "token", id: string, limits: BudgetLimits, options: { readonly label: string }): Promise<unknown>;
  remove(kind: "token", id: string): Promise<unknown>;
};

export type TokenServiceOptions = {
  readonly store: TokenStore;
  readonly limits: TokenLimits;
  readonly log: Log;
  readonly wall?: () => number;
  readonly monotonic?: () => number;
};

/** The name of a token that everybody would take for the owner's. */
const RESERVED = "owner";

export function createTokenService(options: TokenServiceOptions): TokenService {
  const { store, limits, log, wall = Date.now, monotonic = () => performance.now() } = options;
  const uses = new Map<string, number>();
  let revision = 0;
  const authentication = createAuthentication({
    store,
    wall,
    monotonic,
    limitsOf: () => limits.refreshRules(),
    onUse: (id, at) => void uses.set(id, at),
  });

  const infoOf = ({ hash: _, lastUsedAt, ...token }: StoredToken): TokenInfo => {
    const used = uses.get(token.id);
    return {
      ...token,
      lastUsedAt: used === undefined ? lastUsedAt : new Date(used).toISOString(),
      limits: limits.get("token", token.id)?.limits ?? {},
    };
  };

  const find = async (idOrName: string): Promise<StoredToken> => {
    const stored = await store.find(idOrName);
    if (stored !== undefined) return stored;
    const shown = JSON.stringify(idOrName.slice(0, 80));
    throw new TokenError("unknown", `There is no token ${shown}: give the name or the id of one.`);
  };

  return {
    authenticate: authentication.authenticate,
    async list() {
      await limits.refreshRules();
      return (await store.list()).map(infoOf);
    },
    idOf: async (idOrName) => (await store.find(idOrName))?.id,
    async show(idOrName) {
      await limits.refreshRules();
      return infoOf(await find(idOrName));
    },
    async create({ name, scopes = ["llm:use"], expiresAt, limits: wished = {} }) {
      const now = wall();
      check(name, expiresAt, now);
      const token = mintToken();
      const stored: StoredToken = {
        id: `token-${randomUUIDv7()}`,
        name,
        hash: hashToken(token.expose()),
        scopes: [...new Set(scopes)],
        createdAt: new Date(now).toISOString(),
        expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
        lastUsedAt: null,
        revokedAt: null,
      };
      // Before the token: nobody may use it while it has no limits.
      await limits.put("token", stored.id, wished, { label: name });
      if (!(await store.add(stored))) {
        await limits.remove("token", stored.id);
        throw new TokenError(
          "taken",
          `There is a token ${JSON.stringify(name)} already: revoke it, or take another name.`,
        );
      }
      log.info("token created", { id: stored.id, name, scopes: stored.scopes.join(" ") });
      return { token: token.expose(), info: infoOf(stored) };
    },
    async revoke(idOrName) {
      await limits.refreshRules();
      const stored = await find(idOrName);
      const at = stored.revokedAt ?? new Date(wall()).toISOString();
      const isNew = await store.revoke(stored.id, at);
      authentication.forget(stored.hash);
      const info = infoOf({ ...stored, revokedAt: at });
      await limits.remove("token", stored.id);
      if (isNew) log.info("token revoked", { id: stored.id, name: stored.name });
      return { info, isNew };
    },
    async followRevocations() {
      const { revision: newest, hashes } = await store.revokedSince(revision);
      revision = newest;
      for (const hash of hashes) authentication.forget(hash);
    },
    async saveUses() {
      if (uses.size === 0) return;
      const times = new Map([...uses].map(([id, at]) => [id, new Date(at).toISOString()]));
      await store.used(times);
      for (const [id, at] of times) if (Date.parse(at) === uses.get(id)) uses.delete(id);
    },
  };
}

function check(name: string, expiresAt: string | undefined, now: number): void {
  if (!TOKEN_NAME.test(name)) {
    throw new TokenError(
      "wrong",
      "The name of a token has 1 to 64 letters, digits, dots, dashes or underscores, and begins with a letter or digit.",
    );
  }
  if (name === RESERVED)
    throw new TokenError("taken", "The name owner is that of the owner's own token: take another.");
  if (expiresAt !== undefined && !(Date.parse(expiresAt) > now)) {
    throw new TokenError("wrong", "The token would have expired already: give a time that is still to come.");
  }
}
