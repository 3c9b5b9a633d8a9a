import { generateKeyPairSync, verify } from "node:crypto";
import type { ServerResponse } from "node:http";
import { parseGoogleCredential } from "../../../google-credential.ts";
import { type SeenRequest, startUpstream, type TestUpstream } from "../upstream.testing.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PRIVATE_KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();

export const GOOGLE_TOKEN = "ya29.c.access-token-of-the-test-0123456789";

export type TestGoogle = TestUpstream & {
  /** As a file would say it; its addresses are this server's. */
  readonly serviceAccount: Readonly<Record<string, string>>;
};

/**
 * Google's doors to a token, each behind a path of its own, which look at what they are shown; everything else is
 * `answer`'s.
 */
export async function startGoogle(
  answer: (response: ServerResponse, request: SeenRequest) => void = (response) => void response.end("{}"),
  { expiresIn = 3_600 }: { readonly expiresIn?: number } = {},
): Promise<TestGoogle> {
  const grant = (value: string) => ({ access_token: value, expires_in: expiresIn, token_type: "Bearer" });
  const upstream = await startUpstream((response, request, number) => {
    const refuse = (status: number, body: object): void => void response.writeHead(status).end(JSON.stringify(body));
    const give = (body: object): void => void response.end(JSON.stringify(body));
    const form = new URLSearchParams(request.body.toString());
    switch (request.path.split("?")[0]) {
      case "/token": {
        const problem = problemOf(form, `${upstream.url}/token`);
        if (problem === undefined) give(grant(number === 1 ? GOOGLE_TOKEN : `${GOOGLE_TOKEN}-${number}`));
        else refuse(400, { error: "invalid_grant", error_description: problem });
        return;
      }
      case "/sts":
        if (form.get("subject_token") === "subject-token-1") give(grant("federated-token"));
        else refuse(400, { error: "invalid_request", error_description: "The token is not the one of the test." });
        return;
      case "/impersonate":
        if (request.headers.authorization?.endsWith("-token") !== true && !isOurs(request)) {
          refuse(403, { error: { code: 403, message: "Permission 'iam.serviceAccounts.getAccessToken' denied" } });
        } else {
          give({ accessToken: "impersonated-token", expireTime: new Date(Date.now() + 3_600_000).toISOString() });
        }
        return;
      case "/computeMetadata/v1/instance/service-accounts/default/token":
        if (request.headers["metadata-flavor"] === "Google") give(grant("machine-token"));
        else refuse(403, {});
        return;
      case "/identity":
        give({ access_token: request.headers.metadata === "true" ? "subject-token-1" : "wrong" });
        return;
      default:
        answer(response, request);
    }
  });
  const serviceAccount = {
    type: "service_account",
    project_id: "project-of-the-file",
    private_key_id: "key-1",
    private_key: PRIVATE_KEY,
    client_email: "loom@project-of-the-file.iam.gserviceaccount.com",
    token_uri: `${upstream.url}/token`,
  };
  return { ...upstream, serviceAccount };
}

export function credentialOf(value: object, file = "/etc/loom/google.json") {
  return parseGoogleCredential(JSON.stringify(value), file);
}

function isOurs({ headers }: SeenRequest): boolean {
  return headers.authorization?.startsWith(`Bearer ${GOOGLE_TOKEN}`) === true;
}

/** What Google would find wrong with a grant, or `undefined`. */
function problemOf(form: URLSearchParams, audience: string): string | undefined {
  if (form.get("grant_type") === "refresh_token") {
    const right = form.get("client_secret") === "client-secret-1" && form.get("refresh_token") === "refresh-token-1";
    return right ? undefined : "Token has been expired or revoked.";
  }
  const [header = "", claims = "", signature = ""] = (form.get("assertion") ?? "").split(".");
  const signed = verify(
    "RSA-SHA256",
    Buffer.from(`${header}.${claims}`),
    publicKey,
    Buffer.from(signature, "base64url"),
  );
  if (!signed) return "Invalid JWT Signature.";
  const { alg, kid } = decoded(header);
  if (alg !== "RS256" || kid !== "key-1") return "Invalid JWT header.";
  const { iss, aud, scope, iat, exp } = decoded(claims);
  if (iss !== "loom@project-of-the-file.iam.gserviceaccount.com" || aud !== audience) return "Invalid issuer.";
  if (scope !== "https://www.googleapis.com/auth/cloud-platform") return "Invalid scope.";
  return Number(exp) - Number(iat) === 3_600 ? undefined : "Invalid lifetime.";
}

function decoded(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, "base64url").toString());
}
