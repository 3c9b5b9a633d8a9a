import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "@loom/config";
import { describe, expect, test } from "vitest";
import { takeServerConfig } from "./config.ts";
import { secretsOfProviders } from "./provider-config.ts";
import { temporaryDirectory } from "./testing.ts";

const PEM = { type: "pkcs8", format: "pem" } as const;
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const ACCOUNT = {
  type: "service_account",
  project_id: "of-the-file",
  private_key: privateKey.export(PEM).toString(),
  client_email: "loom@example.iam.gserviceaccount.com",
};
const USER = { type: "authorized_user", client_id: "c", client_secret: "s", refresh_token: "r" };

function vertexOf(env: NodeJS.ProcessEnv) {
  const { providers } = takeServerConfig({ ...env });
  return providers.vertex;
}

async function files(contents: Readonly<Record<string, object | string>>) {
  const directory = await temporaryDirectory();
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(join(directory.path, name, ".."), { recursive: true });
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await writeFile(join(directory.path, name), text, { mode: 0o600 });
  }
  return directory;
}

describe("Vertex AI", () => {
  test("is set up by its own variables only, whatever other Google tools use", async () => {
    await using directory = await files({ "a.json": ACCOUNT });
    expect(vertexOf({ GOOGLE_APPLICATION_CREDENTIALS: join(directory.path, "a.json") })).toBeUndefined();
  });

  test.each([
    ["is cut", ACCOUNT.private_key.slice(0, 200)],
    ["is none", "secret-words"],
    ["is of another kind", generateKeyPairSync("ed25519").privateKey.export(PEM).toString()],
  ])("is refused at the start where the account's key %s, and the key is not repeated", async (_how, private_key) => {
    await using directory = await files({ "a.json": { ...ACCOUNT, private_key } });
    const LOOM_SERVER_VERTEX_CREDENTIALS_FILE = join(directory.path, "a.json");
    expect(() => vertexOf({ LOOM_SERVER_VERTEX_CREDENTIALS_FILE })).toThrow(
      new ConfigError(
        `${LOOM_SERVER_VERTEX_CREDENTIALS_FILE} cannot be used to sign in to Google: its field private_key is no RSA key in PEM.`,
      ),
    );
  });

  test("takes project, account and address from a file and a location", async () => {
    await using directory = await files({ "a.json": ACCOUNT });
    const LOOM_SERVER_VERTEX_CREDENTIALS_FILE = join(directory.path, "a.json");
    const config = vertexOf({ LOOM_SERVER_VERTEX_CREDENTIALS_FILE });
    expect(config).toMatchObject({
      baseUrl: "https://aiplatform.googleapis.com",
      isOfficial: true,
      isCompatible: false,
      vertex: { project: "of-the-file", location: "global", credential: { type: "service_account" } },
    });
    expect(secretsOfProviders(config === undefined ? {} : { vertex: config }).map((secret) => secret.expose())).toEqual(
      [ACCOUNT.private_key],
    );
    const own = { LOOM_SERVER_VERTEX_CREDENTIALS_FILE, LOOM_SERVER_VERTEX_PROJECT: "mine" };
    expect(vertexOf({ ...own, LOOM_SERVER_VERTEX_LOCATION: "europe-west4" })).toMatchObject({
      baseUrl: "https://europe-west4-aiplatform.googleapis.com",
      vertex: { project: "mine" },
    });
    expect(vertexOf({ ...own, LOOM_SERVER_VERTEX_LOCATION: "eu" })?.baseUrl).toBe(
      "https://aiplatform.eu.rep.googleapis.com",
    );
  });

  test("looks for credentials as Google's libraries do", async () => {
    await using home = await files({
      ".config/gcloud/application_default_credentials.json": { ...USER, quota_project_id: "quota" },
      "shared.json": ACCOUNT,
      "gcloud/application_default_credentials.json": USER,
    });
    const LOOM_SERVER_VERTEX_PROJECT = "mine";
    const credentialWith = (env: NodeJS.ProcessEnv) =>
      vertexOf({ LOOM_SERVER_VERTEX_PROJECT, ...env })?.vertex?.credential;
    const HOME = home.path;
    const shared = { HOME, GOOGLE_APPLICATION_CREDENTIALS: join(home.path, "shared.json") };
    expect(credentialWith(shared)?.type).toBe("service_account");
    expect(credentialWith({ HOME })).toMatchObject({ type: "authorized_user", quotaProject: "quota" });
    expect(credentialWith({ HOME, CLOUDSDK_CONFIG: join(home.path, "gcloud") })).not.toHaveProperty("quotaProject");
    expect(credentialWith({ HOME: join(home.path, "nobody") })).toEqual({
      type: "metadata",
      host: "metadata.google.internal",
    });
    expect(credentialWith({ GCE_METADATA_HOST: "169.254.169.254:80" })).toMatchObject({ host: "169.254.169.254:80" });
  });

  test("sends tokens to another address only where they were meant for it", async () => {
    await using directory = await files({ "a.json": ACCOUNT });
    const path = join(directory.path, "a.json");
    const elsewhere = { LOOM_SERVER_VERTEX_PROJECT: "mine", LOOM_SERVER_VERTEX_BASE_URL: "http://127.0.0.1:1/x" };
    expect(vertexOf({ ...elsewhere, GOOGLE_APPLICATION_CREDENTIALS: path })?.vertex).toEqual({
      project: "mine",
      location: "global",
    });
    expect(vertexOf({ ...elsewhere, LOOM_SERVER_VERTEX_CREDENTIALS_FILE: path })?.vertex?.credential?.type).toBe(
      "service_account",
    );
  });
});

describe("a credential file", () => {
  const external = {
    type: "external_account",
    audience: "a",
    subject_token_type: "t",
    token_url: "https://sts.googleapis.com/v1/token",
    credential_source: { file: "/token" },
  };

  test.each([
    ["is no JSON", "{", "it is no JSON object"],
    ["lacks a field", { ...ACCOUNT, client_email: undefined }, "its field client_email is missing"],
    ["is of another kind", { type: "gdch_service_account" }, "its field type is none that Loom can use"],
    ["sends tokens without TLS", { ...external, token_url: "http://sts.example/" }, "its field token_url has to be"],
    ["runs a program", { ...external, credential_source: { executable: {} } }, "neither runs a program for it"],
    [
      "signs in to AWS",
      { ...external, credential_source: { environment_id: "aws1", url: "http://169.254.169.254/" } },
      "nor signs in to AWS",
    ],
    [
      "asks a host of the network without TLS",
      { ...external, credential_source: { url: "http://10.0.0.1/" } },
      "its field credential_source.url",
    ],
    [
      "impersonates twice",
      {
        type: "impersonated_service_account",
        source_credentials: {
          type: "impersonated_service_account",
          source_credentials: ACCOUNT,
          service_account_impersonation_url: "https://iamcredentials.googleapis.com/a",
        },
      },
      "impersonates once more",
    ],
  ])("that %s is refused with its name", async (_what, content, words) => {
    await using directory = await files({ "a.json": content });
    const path = join(directory.path, "a.json");
    const take = () => vertexOf({ LOOM_SERVER_VERTEX_PROJECT: "mine", LOOM_SERVER_VERTEX_CREDENTIALS_FILE: path });
    expect(take).toThrow(ConfigError);
    expect(take).toThrow(`${path} cannot be used to sign in to Google: `);
    expect(take).toThrow(words);
    expect(take).not.toThrow(/PRIVATE/);
  });

  test("that does not exist, or names no project, is an error that says what to set", async () => {
    expect(() => vertexOf({ LOOM_SERVER_VERTEX_CREDENTIALS_FILE: "/nowhere/a.json" })).toThrow(
      "/nowhere/a.json, named by LOOM_SERVER_VERTEX_CREDENTIALS_FILE, cannot be read: there is no such file.",
    );
    await using directory = await files({ "u.json": USER });
    const LOOM_SERVER_VERTEX_CREDENTIALS_FILE = join(directory.path, "u.json");
    expect(() => vertexOf({ LOOM_SERVER_VERTEX_CREDENTIALS_FILE })).toThrow("LOOM_SERVER_VERTEX_PROJECT has to name");
  });

  test.each([
    ["LOOM_SERVER_VERTEX_PROJECT", "../other"],
    ["LOOM_SERVER_VERTEX_LOCATION", "evil.example"],
    ["LOOM_SERVER_VERTEX_LOCATION", "us:1"],
  ])("%s is not %s", (variable, value) => {
    expect(() => vertexOf({ LOOM_SERVER_VERTEX_PROJECT: "mine", HOME: "/nowhere", [variable]: value })).toThrow(
      `${variable} is not a name that Google gives.`,
    );
  });
});
