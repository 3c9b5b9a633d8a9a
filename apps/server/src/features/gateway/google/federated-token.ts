import { readFile } from "node:fs/promises";
import type { ExternalAccount, SubjectTokenSource } from "../../../google-credential.ts";
import type { AccessToken } from "../../credentials/token-source.ts";
import { ACCOUNT, askForToken, isToken, parseObject, readAccessToken, SignInError } from "./token-endpoint.ts";

const EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const TOKEN_FILE = "the file with the other provider's token";

/**
 * The token of another identity provider, exchanged for one of Google's (RFC 8693). It is read anew each time: whoever
 * puts it there does so again before it ends.
 * @throws SignInError
 */
export async function federatedToken(
  { audience, subjectTokenType, tokenUrl, source }: ExternalAccount,
  { scope, now }: { readonly scope: string; readonly now: () => number },
): Promise<AccessToken> {
  const form = {
    grant_type: EXCHANGE_GRANT,
    audience,
    scope,
    requested_token_type: ACCESS_TOKEN,
    subject_token_type: subjectTokenType,
    subject_token: await subjectToken(source),
  };
  return readAccessToken(await askForToken({ url: tokenUrl, form }), now());
}

async function subjectToken(source: SubjectTokenSource): Promise<string> {
  const text = source.type === "file" ? await readToken(source.path) : await askForToken(source);
  const { field } = source;
  const token = field === undefined ? text.trim() : parseObject(text)[field];
  if (typeof token === "string" && isToken(token)) return token;
  const [where, files] = source.type === "file" ? [TOKEN_FILE, [source.path]] : [new URL(source.url).host, []];
  throw new SignInError(`${ACCOUNT} cannot be used now: ${where} holds no token.`, { retryable: true, files });
}

async function readToken(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new SignInError(`${ACCOUNT} cannot be used now: ${TOKEN_FILE} cannot be read${code}.`, {
      retryable: true,
      files: [path],
    });
  }
}
