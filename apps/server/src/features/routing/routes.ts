import type { IncomingMessage } from "node:http";
import { api } from "@loom/api";
import { ProblemError } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { requestOf } from "./question.ts";
import { RouteError, type RoutingService } from "./service.ts";

const RESOURCE = { type: "system", id: "routes" } as const;
const ADMINISTER = { action: "administer", resource: RESOURCE } as const;

export function routingRoutes(service: RoutingService): Route[] {
  return [
    route(api.routes.explain, ADMINISTER, ({ query }) => service.explain(requestOf(query))),
    route(api.routes.list, ADMINISTER, () => service.list()),
    route(api.routes.put, ADMINISTER, async ({ params: { name }, body, call, audit }) => {
      const info = await told(service.put(name, body, versionOf(call.incoming)));
      await audit({
        event: "route.changed",
        outcome: "success",
        target: { type: "route", id: name },
        after: { ...body },
      });
      return new Reply(info, { headers: { etag: `"${info.version ?? 0}"` } });
    }),
    route(api.routes.delete, ADMINISTER, async ({ params: { name }, call, audit }) => {
      const removed = await told(service.remove(name, versionOf(call.incoming)));
      await audit({ event: "route.removed", outcome: "success", target: { type: "route", id: name } });
      return removed;
    }),
  ];
}

/** RFC 9110, 13.1: `If-Match: "7"` for the version that is changed, `If-None-Match: *` where there should be none. */
function versionOf({ headers }: IncomingMessage): { readonly version?: number } {
  const [match, none] = [headers["if-match"], headers["if-none-match"]];
  if (none === "*") return { version: 0 };
  if (match === undefined || match === "*") return {};
  const version = /^"(\d{1,15})"$/.exec(match)?.[1];
  if (version !== undefined) return { version: Number(version) };
  throw new ProblemError("invalid_input", 'If-Match has to be the version in quotes, e.g. "7".');
}

const CODES = { invalid: "invalid_input", unknown: "not_found", version: "version_mismatch" } as const;

/** Mistakes of the asker become problem documents. */
async function told<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RouteError)) throw error;
    throw new ProblemError(CODES[error.reason], error.message);
  }
}
