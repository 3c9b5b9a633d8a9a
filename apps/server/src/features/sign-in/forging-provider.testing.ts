// An OpenID Connect provider that lies in whatever way a test asks of it; what it says otherwise is right.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";

type Document = Record<string, unknown>;

export type Forgery = {
  readonly discovery?: (document: Document) => Document;
  /** The query that the browser comes back with. */
  readonly answer?: (query: URLSearchParams) => void;
  readonly claims?: (claims: JWTPayload) => JWTPayload;
  /** The ID token; default: signed with the provider's key. */
  readonly sign?: (claims: JWTPayload, keys: Keys) => Promise<string> | string;
  readonly tokens?: (document: Document) => Document;
  readonly tokenAnswer?: (response: ServerResponse) => void;
  readonly userinfo?: (claims: Document) => Document;
};

export type Keys = {
  readonly own: CryptoKey;
  /** Of somebody else. */
  readonly foreign: CryptoKey;
  /** PEM, as anybody can make it from what the provider publishes. */
  readonly publicPem: string;
};

export type ForgingProvider = {
  readonly issuer: string;
  forgery: Forgery;
  /** The person whom it tells about; `claims` of a forgery change them. */
  person: () => JWTPayload;
  /** How many tokens were asked for. */
  tokensAsked: number;
  [Symbol.asyncDispose](): Promise<void>;
};

export const KEY_ID = "one";

export async function startForgingProvider(clientId: string): Promise<ForgingProvider> {
  const [own, foreign] = await Promise.all([
    generateKeyPair("RS256", { extractable: true }),
    generateKeyPair("RS256", { extractable: true }),
  ]);
  const jwk = { ...(await exportJWK(own.publicKey)), kid: KEY_ID, use: "sig", alg: "RS256" };
  const keys = { own: own.privateKey, foreign: foreign.privateKey, publicPem: await exportSPKI(own.publicKey) };
  const server = createServer((request, response) => {
    respond(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider: ForgingProvider = {
    issuer,
    forgery: {},
    person: () => ({ sub: "ada", email: "ada@example.com", email_verified: true }),
    tokensAsked: 0,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const nonces = new Map<string, string>();

  const json = (response: ServerResponse, document: Document): void => {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document));
  };

  function authorize(url: URL, response: ServerResponse): void {
    const code = `code-${nonces.size}`;
    nonces.set(code, url.searchParams.get("nonce") ?? "");
    const back = new URL(url.searchParams.get("redirect_uri") ?? "");
    back.search = new URLSearchParams({ code, state: url.searchParams.get("state") ?? "", iss: issuer }).toString();
    const query = back.searchParams;
    provider.forgery.answer?.(query);
    response.writeHead(303, { location: back.href }).end();
  }

  async function token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    provider.tokensAsked += 1;
    const { forgery } = provider;
    const code = new URLSearchParams(await text(request)).get("code") ?? "";
    if (forgery.tokenAnswer !== undefined) return forgery.tokenAnswer(response);
    const now = Math.floor(Date.now() / 1000);
    const right = {
      ...provider.person(),
      iss: issuer,
      aud: clientId,
      iat: now,
      exp: now + 300,
      nonce: nonces.get(code),
    };
    const claims = forgery.claims?.(right) ?? right;
    const sign = forgery.sign ?? ((each) => signed(each, keys.own));
    const document = { access_token: "at", token_type: "Bearer", id_token: await sign(claims, keys) };
    json(response, forgery.tokens?.(document) ?? document);
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { forgery } = provider;
    const url = new URL(request.url ?? "/", issuer);
    switch (url.pathname) {
      case "/.well-known/openid-configuration": {
        const document = {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/userinfo`,
          jwks_uri: `${issuer}/jwks`,
          id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
          authorization_response_iss_parameter_supported: true,
        };
        return json(response, forgery.discovery?.(document) ?? document);
      }
      case "/jwks":
        return json(response, { keys: [jwk] });
      case "/authorize":
        return authorize(url, response);
      case "/token":
        return token(request, response);
      case "/userinfo": {
        const claims = provider.person();
        return json(response, forgery.userinfo?.(claims) ?? claims);
      }
      default:
        response.writeHead(404).end();
    }
  }

  return provider;
}

export function signed(claims: JWTPayload, key: CryptoKey, kid: string | undefined = KEY_ID): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256", ...(kid === undefined ? {} : { kid }) }).sign(key);
}
