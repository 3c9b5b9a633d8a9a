// GitHub, as far as signing in goes: written from its documentation of OAuth apps and of the REST API.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export type FakeGithub = {
  readonly url: string;
  user: Record<string, unknown>;
  emails: unknown;
  /** The status of what the API answers. */
  apiStatus: number;
  [Symbol.asyncDispose](): Promise<void>;
};

export const GITHUB_CLIENT = { id: "Iv1.loom", secret: "github-secret-of-loom" };

export async function startFakeGithub(): Promise<FakeGithub> {
  const codes = new Map<string, { challenge: string; redirectUri: string }>();
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const github: FakeGithub = {
    url,
    user: { id: 583231, login: "octocat", name: "The Octocat", email: null },
    emails: [
      { email: "private@example.com", primary: false, verified: true },
      { email: "octocat@example.com", primary: true, verified: true },
    ],
    apiStatus: 200,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  const json = (response: ServerResponse, status: number, document: unknown): void => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(document));
  };

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    if (pathname === "/login/oauth/authorize") {
      const code = `code${codes.size}`;
      const redirectUri = searchParams.get("redirect_uri") ?? "";
      codes.set(code, { challenge: searchParams.get("code_challenge") ?? "", redirectUri });
      const back = new URLSearchParams({ code, state: searchParams.get("state") ?? "" });
      return void response.writeHead(302, { location: `${redirectUri}?${back}` }).end();
    }
    if (pathname === "/login/oauth/access_token") {
      const form = new URLSearchParams(await text(request));
      const code = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const challenge = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      const isRight =
        form.get("client_id") === GITHUB_CLIENT.id &&
        form.get("client_secret") === GITHUB_CLIENT.secret &&
        form.get("redirect_uri") === code?.redirectUri &&
        challenge === code?.challenge;
      // GitHub says 200 to everything.
      return isRight
        ? json(response, 200, { access_token: "gho_token", scope: "read:user,user:email", token_type: "bearer" })
        : json(response, 200, { error: "bad_verification_code", error_description: "The code is wrong." });
    }
    if (request.headers.authorization !== "Bearer gho_token" || request.headers["user-agent"] === undefined) {
      return json(response, 401, { message: "Bad credentials" });
    }
    if (github.apiStatus !== 200) return json(response, github.apiStatus, { message: "Not now" });
    if (pathname === "/api/v3/user") return json(response, 200, github.user);
    if (pathname === "/api/v3/user/emails") return json(response, 200, github.emails);
    json(response, 404, { message: "Not Found" });
  }

  return github;
}
