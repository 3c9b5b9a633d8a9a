import { api } from "@loom/api";
import { PAGE_HEADERS } from "../../kit/problem-reply.ts";
import { Reply, type Route, route } from "../../kit/route.ts";
import { nameOf, principalOf, type Subject, type UserSubject } from "../../kit/subject.ts";
import type { OAuthFeature } from "./index.ts";
import { OAuthError } from "./oauth-error.ts";
import { askingOf, codePage, consentPage, devicePage, messagePage } from "./pages.ts";
import { checkChallenge, checkClient, checkScope, isLoopbackRedirect, SCOPE } from "./service.ts";

const EVERYBODY = { action: "visit", resource: { type: "sign_in" } } as const;
/** RFC 8628, 5.1: a code lives ten minutes, and there are 20^8 of them. */
const GUESSES_OF_USER = { name: "user_code", max: 20, perMs: 600_000 };
const GUESSES_OF_ADDRESS = { name: "user_code_address", max: 100, perMs: 600_000 };
/** What a device costs is a row for ten minutes. */
const DEVICES_OF_ADDRESS = { name: "device_code", max: 60, perMs: 600_000 };
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

export function oauthRoutes({ service, issuerOf, countryOf, signInPath, attempts, users }: OAuthFeature): Route[] {
  return [
    route(api.oauth.metadata, EVERYBODY, ({ call }) => {
      const issuer = issuerOf(call.incoming);
      return {
        issuer,
        authorization_endpoint: `${issuer}/oauth/authorize`,
        token_endpoint: `${issuer}/oauth/token`,
        device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
        grant_types_supported: ["authorization_code", DEVICE_GRANT],
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none"],
        scopes_supported: [SCOPE],
        authorization_response_iss_parameter_supported: true,
      };
    }),

    route(api.oauth.deviceAuthorization, EVERYBODY, ({ body, call, audit }) =>
      told(async () => {
        await attempts.take(DEVICES_OF_ADDRESS, call.origin.address);
        const { client_id: clientId = "", scope = "" } = body;
        const codes = await service.requestDevice({ clientId, scope, origin: call.origin });
        await audit({ event: "device_code.requested", outcome: "success", details: { client: clientId } });
        const page = `${issuerOf(call.incoming)}/device`;
        return {
          device_code: codes.deviceCode,
          user_code: codes.userCode,
          verification_uri: page,
          verification_uri_complete: `${page}?user_code=${codes.userCode}`,
          expires_in: codes.expiresIn,
          interval: codes.interval,
        };
      }),
    ),

    route(api.oauth.token, EVERYBODY, ({ body, call }) =>
      told(async () => {
        const { grant_type: grantType, client_id: clientId = "", ...given } = body;
        checkClient(clientId);
        const { origin } = call;
        const tokenOf = async () => {
          if (grantType === DEVICE_GRANT) {
            return service.pollDevice({ clientId, deviceCode: needed("device_code", given.device_code), origin });
          }
          if (grantType !== "authorization_code") {
            throw new OAuthError(
              "unsupported_grant_type",
              `grant_type has to be authorization_code or ${DEVICE_GRANT}.`,
            );
          }
          const code = needed("code", given.code);
          const verifier = needed("code_verifier", given.code_verifier);
          const redirectUri = needed("redirect_uri", given.redirect_uri);
          return service.exchangeCode({ clientId, code, verifier, redirectUri, origin });
        };
        const session = await tokenOf();
        const seconds = Math.floor((Date.parse(session.expiresAt) - Date.now()) / 1000);
        return { access_token: session.token, token_type: "Bearer" as const, expires_in: seconds, scope: SCOPE };
      }),
    ),

    route(api.oauth.whoami, EVERYBODY, async ({ subject }) => {
      const { type } = subject;
      const email = type === "user" ? (await users.byId(subject.id))?.email : undefined;
      return {
        type,
        id: principalOf(subject),
        name: nameOf(subject),
        ...(email === undefined ? {} : { email }),
        ...(type === "user"
          ? {
              globalRoles: [...subject.globalRoles],
              organizations: subject.organizations.map(({ id, role }) => ({ id, role })),
            }
          : {}),
        ...("scopes" in subject && subject.scopes !== undefined ? { scopes: [...subject.scopes] } : {}),
        ...(type === "user" && subject.impersonator !== undefined ? { impersonator: subject.impersonator.name } : {}),
      };
    }),

    route(api.oauth.authorize, EVERYBODY, async ({ query, subject, call }) => {
      const { client_id: clientId = "", redirect_uri: redirectUri = "", state = "" } = query;
      const refusal = refusalOf(clientId, redirectUri);
      if (refusal !== undefined) return new Reply(messagePage("This cannot be", refusal), { status: 400 });
      try {
        checkRequest(query);
      } catch (error) {
        if (!(error instanceof OAuthError)) throw error;
        return back(redirectUri, {
          error: error.code,
          error_description: error.message,
          state,
          iss: issuerOf(call.incoming),
        });
      }
      const user = personAt(subject);
      if (user === undefined) return redirect(signInPath(call.incoming.url ?? "/"));
      const asking = {
        clientId,
        address: call.origin.address,
        place: await countryOf(call.origin.address),
        userAgent: "this browser",
      };
      const fields = Object.fromEntries(Object.entries(query).filter((entry) => entry[1] !== undefined)) as Record<
        string,
        string
      >;
      // The browser follows the answer to the form to the program, and a page's policy covers that as well.
      const policy = PAGE_HEADERS["content-security-policy"]?.replace(
        "form-action 'self'",
        `form-action 'self' ${new URL(redirectUri).origin}`,
      );
      return new Reply(consentPage({ username: user.name, asking, fields }), {
        headers: { "content-security-policy": policy ?? "" },
      });
    }),

    route(api.oauth.decideAuthorization, EVERYBODY, async ({ body, subject, call, audit }) => {
      const {
        decision,
        client_id: clientId = "",
        redirect_uri: redirectUri = "",
        state = "",
        code_challenge: challenge = "",
      } = body;
      const user = personAt(subject);
      if (user === undefined) return notHere();
      const refusal = refusalOf(clientId, redirectUri);
      if (refusal !== undefined) return new Reply(messagePage("This cannot be", refusal), { status: 400 });
      const iss = issuerOf(call.incoming);
      try {
        checkRequest(body);
      } catch (error) {
        if (!(error instanceof OAuthError)) throw error;
        return back(redirectUri, { error: error.code, error_description: error.message, state, iss });
      }
      const target = { type: "user", id: user.id, name: user.name };
      if (decision === "deny") {
        await audit({ event: "device_code.denied", outcome: "success", target, details: { client: clientId } });
        return back(redirectUri, { error: "access_denied", state, iss });
      }
      const code = await service.grantCode({
        clientId,
        redirectUri,
        challenge,
        userId: user.id,
        session: user.via.id,
        origin: call.origin,
      });
      await audit({ event: "device_code.approved", outcome: "success", target, details: { client: clientId } });
      return back(redirectUri, { code, state, iss });
    }),

    route(api.oauth.devicePage, EVERYBODY, async ({ query: { user_code: userCode = "" }, subject, call }) => {
      const user = personAt(subject);
      if (user === undefined) return redirect(signInPath(call.incoming.url ?? "/"));
      if (userCode === "") return codePage({ username: user.name });
      return look(user, userCode, call.origin.address);
    }),

    route(api.oauth.decideDevice, EVERYBODY, async ({ body, subject, call, audit }) => {
      const user = personAt(subject);
      if (user === undefined) return notHere();
      const { user_code: userCode, decision } = body;
      if (decision === "look") return look(user, userCode, call.origin.address);
      await attempts.take(GUESSES_OF_USER, user.id);
      await attempts.take(GUESSES_OF_ADDRESS, call.origin.address);
      const grant = await service.findDevice(userCode);
      if (grant === undefined) return wrongCode(user);
      const allowed = decision === "allow";
      if (!(await service.decideDevice(grant.id, user.id, allowed, user.via.id))) return wrongCode(user);
      await audit({
        event: allowed ? "device_code.approved" : "device_code.denied",
        outcome: "success",
        target: { type: "user", id: user.id, name: user.name },
        details: { client: grant.client_id, deviceAddress: grant.address },
      });
      return allowed
        ? messagePage("The device is let in", "It goes on by itself within a few seconds. You can close this page.")
        : messagePage("The device is not let in", "Nothing has happened. You can close this page.");
    }),
  ];

  async function look(user: UserSubject, userCode: string, address: string): Promise<string | Reply<string>> {
    await attempts.take(GUESSES_OF_USER, user.id);
    await attempts.take(GUESSES_OF_ADDRESS, address);
    const grant = await service.findDevice(userCode);
    if (grant === undefined) return wrongCode(user);
    return devicePage({ username: user.name, asking: askingOf(grant, await countryOf(grant.address)), userCode });
  }
}

function wrongCode(user: UserSubject): Reply<string> {
  const problem = "There is no such code, or not any more. Look at the device again, or begin there anew.";
  return new Reply(codePage({ username: user.name, problem }), { status: 400 });
}

/** Only who sits in front of a browser decides: no program can let another one in, and nobody in somebody's place. */
function personAt(subject: Subject): UserSubject | undefined {
  if (subject.type !== "user" || subject.impersonator !== undefined) return undefined;
  return subject.via.type === "session" && subject.via.kind === "web" ? subject : undefined;
}

function checkRequest(request: {
  readonly response_type?: string | undefined;
  readonly scope?: string | undefined;
  readonly code_challenge?: string | undefined;
  readonly code_challenge_method?: string | undefined;
}): void {
  if (request.response_type !== "code")
    throw new OAuthError("unsupported_response_type", "response_type has to be code.");
  checkScope(request.scope ?? "");
  checkChallenge(request.code_challenge ?? "", request.code_challenge_method ?? "");
}

/** What cannot be told to the program, because it is not sure which one it is. */
function refusalOf(clientId: string, redirectUri: string): string | undefined {
  try {
    checkClient(clientId);
  } catch (error) {
    return error instanceof Error ? error.message : undefined;
  }
  if (isLoopbackRedirect(redirectUri)) return undefined;
  return "redirect_uri has to be an address of this machine, such as http://127.0.0.1:PORT/callback.";
}

function needed(name: string, value: string | undefined): string {
  if (value !== undefined && value !== "") return value;
  throw new OAuthError("invalid_request", `${name} is missing.`);
}

/** RFC 6749, 5.2: errors are 400 and JSON. */
async function told<Answer>(work: () => Promise<Answer>) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return new Reply({ error: error.code, error_description: error.message }, { status: 400 });
  }
}

function back(redirectUri: string, parameters: Readonly<Record<string, string>>): Reply<string> {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(parameters)) if (value !== "") url.searchParams.set(name, value);
  return redirect(url.href);
}

function redirect(location: string): Reply<string> {
  return new Reply("", { status: 303, headers: { location } });
}

function notHere(): Reply<string> {
  const text = "Only somebody who is signed in with a browser can decide that.";
  return new Reply(messagePage("Not here", text), { status: 403 });
}
