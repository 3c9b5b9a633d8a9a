import { api } from "@loom/api";
import type { Call } from "../../kit/call.ts";
import { ProblemError } from "../../kit/problem-reply.ts";
import { type Route, route } from "../../kit/route.ts";
import type { WebAddress } from "../../kit/web-address.ts";
import type { SessionService } from "../sessions/service.ts";
import { requireNoProxy } from "./development-mode.ts";
import { endOld } from "./end-old.ts";
import { onPage } from "./on-page.ts";
import { signInPage, startPage } from "./pages.ts";
import type { Provider } from "./provider.ts";
import type { SignInService } from "./service.ts";
import type { WebFlow } from "./web-flow.ts";

export type SignInRouteNeeds = {
  readonly service: SignInService;
  readonly sessions: SessionService;
  readonly web: WebAddress;
  readonly flow: WebFlow;
  readonly developmentUser: string | undefined;
  readonly mailLinks: boolean;
};

const VISIT = { action: "visit", resource: { type: "sign_in" } } as const;
const HOME = "/auth/account";

/** The ways in: pages and redirects that somebody sees who is nobody yet. */
export function signInRoutes({ service, sessions, web, flow, developmentUser, mailLinks }: SignInRouteNeeds): Route[] {
  const redirectUri = (call: Call, provider: Provider): string =>
    `${web.originOf(call.incoming)}/auth/callback/${provider.name}`;

  function providerOf(name: string): Provider {
    const provider = service.providers.find((each) => each.name === name);
    if (provider !== undefined) return provider;
    const known = service.providers.map((each) => each.name).join(", ") || "none";
    throw new ProblemError("not_found", `No such provider is set up here; there is: ${known}.`);
  }

  return [
    route(api.signIn.providers, VISIT, () => ({
      providers: service.providers.map(({ name, label }) => ({ name, label })),
    })),
    route(api.signIn.page, VISIT, ({ query: { redirect_to: redirectTo = HOME } }) =>
      signInPage({ providers: service.providers, redirectTo, developmentUser, askAddress: true, mailLinks }),
    ),
    route(api.signIn.start, VISIT, async ({ query: { email, redirect_to: redirectTo = HOME } }) =>
      startPage(await service.providersFor(email), email, redirectTo, { mailLinks }),
    ),
    route(api.signIn.login, VISIT, ({ params, query: { redirect_to: redirectTo = HOME }, call }) =>
      onPage(async () => {
        const provider = providerOf(params.provider);
        const { url, browser } = await service.begin({
          provider,
          redirectTo,
          redirectUri: redirectUri(call, provider),
          browser: flow.browserOf(call.incoming),
          origin: call.origin,
        });
        return flow.toProvider(url, browser);
      }),
    ),
    route(api.signIn.callback, VISIT, ({ params, call, subject }) =>
      onPage(async () => {
        const provider = providerOf(params.provider);
        const callback = new URL(redirectUri(call, provider));
        callback.search = new URL(call.incoming.url ?? "", callback).search;
        const { admission, redirectTo } = await service.finish({
          provider,
          callback,
          browser: flow.browserOf(call.incoming),
          origin: call.origin,
        });
        await endOld({ sessions, flow }, call, subject);
        return flow.admitted(admission, redirectTo);
      }),
    ),
    route(api.signIn.development, VISIT, ({ query: { redirect_to: redirectTo = HOME }, call, subject }) =>
      onPage(async () => {
        if (developmentUser === undefined) throw new ProblemError("not_found", "LOOM_SERVER_DEV_USER is not set here.");
        requireNoProxy(call.incoming);
        const proof = { method: "development", email: developmentUser, kind: "web", origin: call.origin } as const;
        const admission = await service.admit(proof);
        await endOld({ sessions, flow }, call, subject);
        return flow.admitted(admission, redirectTo);
      }),
    ),
  ];
}
