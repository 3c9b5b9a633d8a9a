import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import type { Call } from "./call.ts";
import { pathsOf } from "./path-aliases.ts";
import { ProblemError } from "./problem-reply.ts";
import type { PathParameters, Route } from "./route.ts";
import type { Subject } from "./subject.ts";

/** A request that has been let in. */
export type Admitted = { readonly call: Call; readonly subject: Subject };

/** What answers once the route is known, or known not to exist; never throws. */
export type Answerer = {
  run(admitted: Admitted, route: Route, params: PathParameters): Promise<void>;
  fail(admitted: Admitted, error: unknown): void;
};

type Environment = { Bindings: { incoming: IncomingMessage; outgoing: ServerResponse; admitted: Admitted } };

/** All routes as a Hono app. The answers go out on Node's own response, as those of the direct routes do. */
export function createHonoApp(routes: readonly Route[], answerer: Answerer): (admitted: Admitted) => void {
  const app = new Hono<Environment>();
  const methodsOf = new Map<string, string[]>();
  for (const route of routes) {
    for (const path of honoPaths(route.contract.path)) {
      methodsOf.set(path, [...(methodsOf.get(path) ?? []), route.contract.method]);
      app.on(route.contract.method, path, async (c) => {
        await answerer.run(c.env.admitted, route, c.req.param());
        return RESPONSE_ALREADY_SENT;
      });
    }
  }
  for (const [path, methods] of methodsOf) {
    const allow = methods.join(", ");
    app.all(path, () => {
      const detail = `The method is not allowed here; allowed is: ${allow}.`;
      throw new ProblemError("method_not_allowed", detail, { headers: { allow } });
    });
  }
  app.notFound(() => {
    throw new ProblemError("not_found", "There is nothing at this path; GET /api/openapi.json lists what there is.");
  });
  app.onError((error, c) => {
    answerer.fail(c.env.admitted, error);
    return RESPONSE_ALREADY_SENT;
  });

  return (admitted) => {
    const listener = getRequestListener((request, env) => app.fetch(request, { ...env, admitted }), {
      // The process may hold other users of the web globals, and our handlers read the body themselves.
      overrideGlobalObjects: false,
      autoCleanupIncoming: false,
      // What cannot even be made into a web request, such as a backslash in the path.
      errorHandler: (error) => {
        const isTarget = error instanceof Error && error.name === "RequestError";
        answerer.fail(
          admitted,
          isTarget ? new ProblemError("invalid_input", "The request target is no valid path.") : error,
        );
        return undefined;
      },
    });
    void listener(admitted.call.incoming, admitted.call.outgoing);
  };
}

/** In Hono's spelling, `/proxy/{provider}/stream` is `/proxy/:provider/stream`. */
function honoPaths(path: string): string[] {
  return pathsOf(path).map((each) => each.replaceAll(/\{(\w+)\}/g, ":$1"));
}
