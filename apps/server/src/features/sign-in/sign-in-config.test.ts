import { expect, test } from "vitest";
import { takeSignInConfig } from "./sign-in-config.ts";

const OKTA = {
  LOOM_SERVER_OKTA_DOMAIN: "example.okta.com",
  LOOM_SERVER_OKTA_CLIENT_ID: "id",
  LOOM_SERVER_OKTA_CLIENT_SECRET: "the secret",
};

test("providers are read, and their secrets taken out of the environment", () => {
  const env: NodeJS.ProcessEnv = {
    ...OKTA,
    LOOM_SERVER_GITHUB_CLIENT_ID: "gh",
    LOOM_SERVER_GITHUB_CLIENT_SECRET: "github's",
    LOOM_SERVER_GITHUB_BASE_URL: "https://git.example.com/",
    LOOM_SERVER_OIDC_CORP_SSO_ISSUER: "https://sso.example.com/realms/corp/",
    LOOM_SERVER_OIDC_CORP_SSO_CLIENT_ID: "corp",
    LOOM_SERVER_OIDC_CORP_SSO_CLIENT_SECRET: "corp's",
    LOOM_SERVER_OIDC_CORP_SSO_LABEL: "Our SSO",
    LOOM_SERVER_OIDC_CORP_SSO_DOMAINS: "Example.com, example.org",
  };
  const { providers } = takeSignInConfig(env);
  expect(providers).toMatchObject([
    { name: "okta", label: "Okta", type: "openid", url: "https://example.okta.com", domains: [] },
    { name: "github", type: "github", url: "https://git.example.com" },
    {
      name: "corp-sso",
      label: "Our SSO",
      url: "https://sso.example.com/realms/corp",
      domains: ["example.com", "example.org"],
    },
  ]);
  expect(providers[0]?.clientSecret.expose()).toBe("the secret");
  expect(JSON.stringify([providers, env])).not.toMatch(/the secret|github's|corp's/);
});

test.each<[NodeJS.ProcessEnv, RegExp]>([
  [{ ...OKTA, LOOM_SERVER_OKTA_CLIENT_ID: "" }, /LOOM_SERVER_OKTA_CLIENT_ID has to be set/],
  [{ ...OKTA, LOOM_SERVER_OKTA_CLIENT_SECRET: "" }, /LOOM_SERVER_OKTA_CLIENT_SECRET, or .*_FILE/],
  [{ ...OKTA, LOOM_SERVER_OKTA_DOMAIN: "http://okta.example.com" }, /LOOM_SERVER_OKTA_DOMAIN has to be an address/],
  [{ ...OKTA, LOOM_SERVER_OKTA_DOMAIN: "file:///etc/passwd" }, /LOOM_SERVER_OKTA_DOMAIN/],
  [{ ...OKTA, LOOM_SERVER_OKTA_DOMAIN: "https://x:y@okta.example.com" }, /LOOM_SERVER_OKTA_DOMAIN/],
  [{ ...OKTA, LOOM_SERVER_OKTA_DOMAIN: "https://okta.example.com/?x=1" }, /LOOM_SERVER_OKTA_DOMAIN/],
  [{ ...OKTA, LOOM_SERVER_OKTA_DOMAINS: "example" }, /LOOM_SERVER_OKTA_DOMAINS: "example" is no domain/],
  [{ LOOM_SERVER_OIDC_a_b_ISSUER: "https://x.example" }, /upper case/],
  [{ ...OKTA, LOOM_SERVER_OIDC_OKTA_ISSUER: "https://x.example" }, /the name okta is taken/],
  [{ LOOM_SERVER_SIGNUPS: "maybe" }, /LOOM_SERVER_SIGNUPS has to be open or closed/],
  [{ LOOM_SERVER_DEV_USER: "ada" }, /LOOM_SERVER_DEV_USER has to be a mail address/],
  [{ LOOM_SERVER_SESSION_IDLE_DAYS: "0" }, /LOOM_SERVER_SESSION_IDLE_DAYS has to be a number of days/],
  [{ LOOM_SERVER_SESSION_MAX_DAYS: "soon" }, /LOOM_SERVER_SESSION_MAX_DAYS/],
  [{ LOOM_SERVER_DNS_SERVERS: "10.0.0.53,dns.example.com" }, /LOOM_SERVER_DNS_SERVERS has to be addresses/],
])("a mistake is told with the name of the variable: %o", (env, sentence) => {
  expect(() => takeSignInConfig({ ...env })).toThrow(sentence);
});

test("a provider on this machine needs no https, and days are counted in milliseconds", () => {
  const env = { ...OKTA, LOOM_SERVER_OKTA_DOMAIN: "http://127.0.0.1:8080", LOOM_SERVER_SESSION_IDLE_DAYS: "0.5" };
  const { providers, sessions } = takeSignInConfig({ ...env });
  expect(providers[0]?.url).toBe("http://127.0.0.1:8080");
  expect(sessions).toEqual({ idleMs: 43_200_000, maxMs: 180 * 86_400_000 });
});
