import { api } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { TokenError, type TokenService } from "./service.ts";

export function tokenRoutes(service: TokenService): Route[] {
  return [
    route(api.tokens.list, { action: "administer", resource: { type: "token" } }, async () => ({
      tokens: await service.list(),
    })),
    route(api.tokens.create, { action: "administer", resource: { type: "token" } }, async ({ body, audit }) => {
      const minted = await told(service.create(body));
      const { id, name, scopes, expiresAt, limits } = minted.info;
      await audit({
        event: "token.created",
        outcome: "success",
        target: { type: "token", id, name },
        after: { scopes, expiresAt, limits },
      });
      return new Reply(minted, { status: 201 });
    }),
    route(
      api.tokens.revoke,
      { action: "administer", resource: ({ id }) => ({ type: "token", id }) },
      async ({ params, audit }) => {
        const { info, isNew } = await told(service.revoke(params.id));
        const { id, name } = info;
        if (isNew) await audit({ event: "token.revoked", outcome: "success", target: { type: "token", id, name } });
        return info;
      },
    ),
  ];
}

/** Mistakes of the asker become problem documents. */
async function told<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    throw new ProblemError(error.reason === "unknown" ? "not_found" : "invalid_input", error.message);
  }
}
