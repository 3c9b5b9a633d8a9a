import { api } from "@loom/api";
import { deliveredAddress } from "../../kit/mail-address.ts";
import { wrongFields } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { endOld } from "../sign-in/end-old.ts";
import { onPage } from "../sign-in/on-page.ts";
import type { MagicLinkFeature } from "./index.ts";
import { confirmPage, deadPage, offPage, sentPage } from "./pages.ts";
import { LINK_MINUTES } from "./service.ts";

const VISIT = { action: "visit", resource: { type: "sign_in" } } as const;
const HOME = "/auth/account";
const QUARTER_MS = 900_000;
/** So that nobody's mailbox is filled by somebody else. */
const LINKS_TO_ADDRESS = { name: "magic_link_mail", max: 5, perMs: QUARTER_MS };
const LINKS_FROM_ADDRESS = { name: "magic_link_from", max: 30, perMs: QUARTER_MS };
const TRIES_FROM_ADDRESS = { name: "magic_link_try", max: 60, perMs: QUARTER_MS };

export function magicLinkRoutes(feature: MagicLinkFeature): Route[] {
  const { service, isOn, signIn, attempts, flow, sessions, mail, originOf } = feature;
  const off = () => new Reply(offPage(), { status: 404 });

  return [
    route(api.magicLink.request, VISIT, ({ body, call, audit }) =>
      onPage(async () => {
        if (!isOn) return off();
        const email = deliveredAddress(body.email.toLowerCase());
        if (email === undefined) {
          throw wrongFields([{ field: "email", message: "has to be a mail address such as ada@example.com" }]);
        }
        await attempts.take(LINKS_FROM_ADDRESS, call.origin.address);
        await attempts.take(LINKS_TO_ADDRESS, email);
        // Everybody's is made, so that an address that is unknown here takes as long as one that is not.
        const token = await service.mint(email, body.redirect_to ?? HOME);
        const isWelcome = await feature.mayHaveLink(email);
        await audit({ event: "magic_link.requested", outcome: isWelcome ? "success" : "denied", details: { email } });
        if (isWelcome) {
          mail.send(
            {
              to: email,
              subject: "Sign in to Loom",
              paragraphs: ["Somebody, most likely you, wants to sign in to Loom with this address."],
              button: { label: "Sign in", url: `${originOf(call.incoming)}/auth/magic-link?token=${token}` },
              footnote: `The link works once, within ${LINK_MINUTES} minutes. If it was not you, do nothing.`,
            },
            "sign_in",
          );
        }
        return new Reply(sentPage(email), { status: 202 });
      }),
    ),
    route(api.magicLink.open, VISIT, async ({ query: { token } }) => {
      if (!isOn) return off();
      return (await service.isGood(token)) ? confirmPage(token) : new Reply(deadPage(), { status: 410 });
    }),
    route(api.magicLink.redeem, VISIT, ({ body: { token }, call, subject }) =>
      onPage(async () => {
        if (!isOn) return off();
        await attempts.take(TRIES_FROM_ADDRESS, call.origin.address);
        const link = await service.redeem(token);
        if (link === undefined) return new Reply(deadPage(), { status: 410 });
        const proof = { method: "magic_link", email: link.email, kind: "web", origin: call.origin } as const;
        const admission = await signIn.admit(proof);
        await endOld({ sessions, flow }, call, subject);
        return flow.admitted(admission, link.redirectTo);
      }),
    ),
  ];
}
