import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { OAuthClient } from "@loom/api/oauth-client";
import { CliError } from "../exit-codes.ts";

const CALLBACK = "/callback";

export type LoopbackSignIn = {
  /** Where the browser has to go. */
  readonly url: URL;
  /** The token, as soon as the user has decided there. @throws CliError, LoomApiError */
  token(signal: AbortSignal): Promise<string>;
  close(): void;
};

/** Signing in through the browser of this machine, which brings a code back to a port of ours (RFC 8252, 7.3; RFC 7636). */
export async function startLoopbackSignIn(client: OAuthClient): Promise<LoopbackSignIn> {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(32).toString("base64url");
  const arrival = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? "", "http://127.0.0.1");
    const isOurs =
      request.method === "GET" && url?.pathname === CALLBACK && isState(url.searchParams.get("state"), state);
    const text = isOurs ? "Loom goes on in your terminal. You can close this page." : "There is nothing here.";
    response.writeHead(isOurs ? 200 : 404, {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      connection: "close",
    });
    response.end(`${text}\n`);
    if (isOurs) arrival.resolve(url.searchParams);
  });
  const redirectUri = `http://127.0.0.1:${await listen(server)}${CALLBACK}`;
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  return {
    url: client.authorizationUrl({
      response_type: "code",
      scope: "account",
      redirect_uri: redirectUri,
      state,
      code_challenge: challenge,
      code_challenge_method: "S256",
    }),
    async token(signal) {
      const stopped = Promise.withResolvers<never>();
      const stop = (): void => stopped.reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      const answer = await Promise.race([arrival.promise, stopped.promise]).finally(() =>
        signal.removeEventListener("abort", stop),
      );
      const code = answer.get("code");
      if (code === null) {
        const isRefusal = answer.get("error") === "access_denied";
        const why = isRefusal
          ? "you said no in the browser"
          : (answer.get("error_description") ?? "the server gave no code");
        throw new CliError("unauthorized", `Not signed in: ${why}.`);
      }
      const token = await client.codeToken({ code, verifier, redirectUri }, signal);
      if (!token.ok) throw new CliError("unauthorized", `Not signed in: ${token.description || token.error}`);
      return token.token;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function isState(given: string | null, state: string): boolean {
  const [left, right] = [Buffer.from(given ?? ""), Buffer.from(state)];
  return left.length === right.length && timingSafeEqual(left, right);
}
