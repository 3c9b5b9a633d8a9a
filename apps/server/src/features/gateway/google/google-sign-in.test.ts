import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../testing.ts";
import { startUpstream } from "../upstream.testing.ts";
import { credentialOf, GOOGLE_TOKEN, startGoogle, type TestGoogle } from "./google.testing.ts";
import { googleSignIn } from "./google-sign-in.ts";
import { ACCOUNT } from "./token-endpoint.ts";

async function google(): Promise<TestGoogle> {
  const started = await startGoogle();
  onTestFinished(() => started.close());
  return started;
}

const NOW = Date.parse("2026-05-01T12:00:00Z");

async function tokenWith(credential: Parameters<typeof googleSignIn>[0]): Promise<string> {
  const { value } = await googleSignIn(credential, () => NOW).token();
  return value.expose();
}

test("a service account signs what it asks for, and gets a token that says when it ends", async () => {
  const { serviceAccount } = await google();
  const { value, expiresAtMs } = await googleSignIn(credentialOf(serviceAccount), () => NOW).token();
  expect(value.expose()).toBe(GOOGLE_TOKEN);
  expect(expiresAtMs).toBe(NOW + 3_600_000);
});

test.each([
  ["60", 60],
  [true, 3_600],
])("a token for %j is good for %d s", async (expires_in, seconds) => {
  const upstream = await startUpstream((response) => {
    response.end(JSON.stringify({ access_token: "token-1", expires_in }));
  });
  onTestFinished(() => upstream.close());
  const credential = { type: "metadata", host: new URL(upstream.url).host } as const;
  const { expiresAtMs } = await googleSignIn(credential, () => NOW).token();
  expect(expiresAtMs).toBe(NOW + seconds * 1000);
});

test("a user's own login is refreshed", async () => {
  const { url } = await google();
  const user = {
    type: "authorized_user",
    client_id: "id",
    client_secret: "client-secret-1",
    token_uri: `${url}/token`,
  };
  expect(await tokenWith(credentialOf({ ...user, refresh_token: "refresh-token-1" }))).toBe(GOOGLE_TOKEN);
});

test("a machine asks its metadata server", async () => {
  const { url, seen } = await google();
  expect(await tokenWith({ type: "metadata", host: new URL(url).host })).toBe("machine-token");
  expect(seen[0]?.path).toContain("scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform");
});

function external(url: string, more: object): object {
  return {
    type: "external_account",
    audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${url}/sts`,
    ...more,
  };
}

test("another provider's token in a file is exchanged, read anew each time, for a service account's", async () => {
  const { url, seen } = await google();
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "token");
  await writeFile(path, "subject-token-1\n");
  const credential = credentialOf(
    external(url, {
      credential_source: { file: path },
      service_account_impersonation_url: `${url}/impersonate`,
      service_account_impersonation: { token_lifetime_seconds: 900 },
    }),
  );
  expect(await tokenWith(credential)).toBe("impersonated-token");
  expect(new URLSearchParams(seen[0]?.body.toString()).get("audience")).toContain("workloadIdentityPools");
  expect(seen[1]?.headers.authorization).toBe("Bearer federated-token");
  expect(JSON.parse(seen[1]?.body.toString() ?? "")).toEqual({
    scope: ["https://www.googleapis.com/auth/cloud-platform"],
    lifetime: "900s",
  });
  await writeFile(path, "another");
  await expect(tokenWith(credential)).rejects.toMatchObject({
    message: `${ACCOUNT} was refused by ${new URL(url).host} (400): invalid_request, The token is not the one of the test.`,
    files: ["/etc/loom/google.json"],
  });
});

test("so is one in the JSON of an address, which is asked with headers of its own", async () => {
  const { url } = await google();
  const format = { type: "json", subject_token_field_name: "access_token" };
  const credential_source = { url: `${url}/identity`, headers: { Metadata: "true" }, format };
  expect(await tokenWith(credentialOf(external(url, { credential_source })))).toBe("federated-token");
});

test("whoever may act as a service account gets that one's token", async () => {
  const { url, serviceAccount } = await google();
  const credential = credentialOf({
    type: "impersonated_service_account",
    source_credentials: serviceAccount,
    service_account_impersonation_url: `${url}/impersonate`,
  });
  expect(await tokenWith(credential)).toBe("impersonated-token");
});

test.each([
  ["holds no token", "", /^The Google account of this server cannot be used now: the file .* holds no token\.$/],
  [
    "cannot be read",
    undefined,
    /^The Google account of this server cannot be used now: the file .* cannot be read \(ENOENT\)\.$/,
  ],
])(
  "where the file of another provider's token %s, the message names no path, and the error has both",
  async (_, text, message) => {
    const { url } = await google();
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "token");
    if (text !== undefined) await writeFile(path, text);
    const failed = tokenWith(credentialOf(external(url, { credential_source: { file: path } })));
    await expect(failed).rejects.toMatchObject({
      message: expect.stringMatching(message),
      files: ["/etc/loom/google.json", path],
      retryable: true,
    });
    await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining(directory.path) });
  },
);

test("what Google refuses is said in its words, without a secret, and the file beside it", async () => {
  const { url } = await google();
  const user = {
    type: "authorized_user",
    client_id: "id",
    client_secret: "client-secret-1",
    token_uri: `${url}/token`,
  };
  const credential = credentialOf({ ...user, refresh_token: "a-revoked-refresh-token" });
  await expect(tokenWith(credential)).rejects.toMatchObject({
    message: `${ACCOUNT} was refused by ${new URL(url).host} (400): invalid_grant, Token has been expired or revoked.`,
    files: ["/etc/loom/google.json"],
    retryable: false,
  });
});

test("an address where nobody listens is a sentence, too", async () => {
  const { serviceAccount, url, close } = await startGoogle();
  await close();
  await expect(tokenWith(credentialOf(serviceAccount))).rejects.toMatchObject({
    message: `${ACCOUNT} cannot be used now: ${new URL(url).host} refused the connection.`,
    files: ["/etc/loom/google.json"],
    retryable: true,
  });
});

test("what an endpoint repeats of the request is taken out before its words are cut", async () => {
  const secrets = { client_secret: "client-secret-0123456789", refresh_token: "refresh-token-0123456789" };
  const upstream = await startUpstream((response) => {
    const error_description = `${secrets.client_secret} ${"x".repeat(235)} ${secrets.refresh_token}`;
    response.writeHead(400).end(JSON.stringify({ error: "invalid_grant", error_description }));
  });
  onTestFinished(() => upstream.close());
  const user = { type: "authorized_user", client_id: "id", ...secrets, token_uri: `${upstream.url}/token` };
  const failure = await tokenWith(credentialOf(user)).catch((error: unknown) => String(error));
  expect(failure).toContain("(400): invalid_grant, [redacted] xxx");
  expect(failure).not.toMatch(/client-s|refresh-/);
});
