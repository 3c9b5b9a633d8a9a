import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Fault, fail, fault, say, startScriptedModel } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { selfSignedCertificate } from "./certificate.testing.ts";
import { startMailServer } from "./features/mail/mail-server.testing.ts";
import { TestBrowser } from "./features/sign-in/browser.testing.ts";
import { headerOf, newThreadId, said, text } from "./features/threads/threads.testing.ts";
import { environment, runServer, type ServerProcess, startServerProcess } from "./process.testing.ts";
import { REQUEST, send, temporaryDirectory } from "./testing.ts";

/** In the shape of no known provider, so that only knowing the key itself finds it. */
const CANARY = "canary9f3b71d2e85c4a60bird";
const CANARY_BASE64 = Buffer.from(CANARY).toString("base64").slice(0, 20);

/** A provider quotes the key in its error, in a header, in a web page, within the stream. */
const TELLTALES: readonly Fault[] = [
  fault.echoKey(401),
  fault.echoKey(400),
  fault.echoKey(500),
  fault.status(429, { message: "Slow down, {key}.", retryAfter: 1 }),
  fault.status(403, { body: `<html>${CANARY}</html>` }),
  fault.status(502, { body: { error: { message: `Bearer ${CANARY}`, code: CANARY } } }),
  fault.status(302, { headers: { location: `http://127.0.0.1:1/?key=${CANARY}` } }),
  fault.errorEvent(0, { message: `The key ${CANARY} is used up.` }),
  fault.errorEvent(3, { message: `The key ${CANARY} is used up.`, errorType: CANARY }),
  fault.html(),
  fault.binary(),
  fault.cutAfter(2),
  fault.reset(),
];

/** One that was refused, or has to cool down, is not used again by itself. */
async function enable({ url, token }: ServerProcess, credential: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const path = `/api/admin/credentials/${credential}`;
  expect((await send(url, { method: "PATCH", path, headers, body: '{"enabled":true}' })).status).toBe(200);
}

/** Every byte that the server left behind, one text for each file. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")));
}

describe.each(["anthropic", "openai"])("the key of %s", (provider) => {
  test("appears in no answer, log, metric or file, whatever the provider says", async () => {
    await using home = await temporaryDirectory();
    await using model = await startScriptedModel({
      script: [say("Fine."), say("Fine."), ...TELLTALES.flatMap((each) => [fail(each), fail(each)])],
    });
    const upper = provider.toUpperCase();
    const env = environment(home.path, {
      [`LOOM_SERVER_${upper}_API_KEY`]: CANARY,
      [`LOOM_SERVER_${upper}_BASE_URL`]: provider === "openai" ? `${model.url}/v1` : model.url,
      [`LOOM_SERVER_${upper}_MODEL`]: "gpt-5.4",
    });
    const args = ["--log-level", "debug", "--log-file", `${home.path}/server.log`];
    const server = await startServerProcess(`${home.path}/data`, { env, args });
    const headers = { authorization: `Bearer ${server.token}`, "content-type": "application/json" };
    const answers: string[] = [];
    for (let round = 0; round < 1 + TELLTALES.length; round += 1) {
      for (const kind of ["stream", "complete"]) {
        await enable(server, `${provider}-environment`);
        const request = { method: "POST", path: `/proxy/${provider}/${kind}`, headers, body: JSON.stringify(REQUEST) };
        const answer = await send(server.url, request);
        answers.push(JSON.stringify(answer));
      }
    }
    for (const path of [
      "/api/models",
      "/metrics",
      "/api/openapi.json",
      "/readyz",
      "/api/admin/credentials",
      `/proxy/${CANARY.slice(0, 3)}`,
    ]) {
      answers.push(JSON.stringify(await send(server.url, { path, headers })));
    }
    server.process.signal("SIGTERM");
    const { code, stdout, stderr } = await server.process.exited;
    expect(code).toBe(0);
    expect(model.requests.filter(({ method }) => method === "POST")).toHaveLength(2 * (1 + TELLTALES.length));
    expect(JSON.stringify(model.requests[0]?.headers)).toContain(CANARY);

    const everything = [...answers, stdout, stderr, ...(await filesBelow(home.path))];
    expect(everything.join("\n")).toContain("model failed");
    for (const text of everything) {
      expect(text).not.toContain(CANARY);
      expect(text).not.toContain(CANARY_BASE64);
      // The owner's token belongs in its file and nowhere else.
      if (text.trim() !== server.token) expect(text).not.toContain(server.token);
    }
  });
});

test("a key that a client gives for a model, a session or its own name is in no list, export, log or file", async () => {
  await using home = await temporaryDirectory();
  await using model = await startScriptedModel({ script: Array.from({ length: 6 }, () => say("Fine.")) });
  const env = environment(home.path, {
    LOOM_SERVER_OPENAI_API_KEY: CANARY,
    LOOM_SERVER_OPENAI_BASE_URL: `${model.url}/v1`,
    LOOM_SERVER_AUDIT_MIN_SEVERITY: "debug",
  });
  const args = ["--log-level", "debug", "--log-file", `${home.path}/server.log`];
  const server = await startServerProcess(`${home.path}/data`, { env, args });
  const authorization = `Bearer ${server.token}`;
  const STRANGE = `sk-ant-api03-${"x".repeat(300)}`;
  const day = { dayMicroUsd: 1_000_000_000 };
  for (const [path, body] of [
    ["/api/admin/prices", { provider: "openai", model: "*", prices: { input: 1, output: 1 } }],
    ["/api/budgets/session/*", day],
    ["/api/budgets/model/*", day],
  ] as const) {
    const headers = { authorization, "content-type": "application/json" };
    const { status } = await send(server.url, { method: "PUT", path, headers, body: JSON.stringify(body) });
    expect([path, status]).toEqual([path, 200]);
  }
  for (const secret of [CANARY, STRANGE, server.token]) {
    const names = { "x-loom-session": `${"s".repeat(100)} ${secret}`, "user-agent": secret };
    const headers = { authorization, "content-type": "application/json", ...names };
    for (const path of ["/proxy/openai/v1/chat/completions", "/openai/v1/chat/completions"]) {
      for (const name of [secret, `openai/${secret}`, `${"y".repeat(250)} ${secret}`]) {
        const body = JSON.stringify({ model: name, messages: [{ role: "user", content: "Hi" }] });
        await send(server.url, { method: "POST", path, headers, body });
      }
    }
    const path = `/proxy/gemini/v1beta/models/${encodeURIComponent(secret)}:generateContent`;
    await send(server.url, { method: "POST", path, headers, body: "{" });
  }
  const shown: string[] = [];
  const groups = "groupBy=requestedModel,model,session";
  for (const path of [
    `/api/usage?${groups}`,
    `/api/usage?${groups}&format=csv`,
    "/api/usage?groupBy=client,route",
    "/api/admin/audit?limit=100",
    "/metrics",
  ]) {
    const { status, text } = await send(server.url, { path, headers: { authorization } });
    expect([path, status]).toEqual([path, 200]);
    shown.push(text);
  }
  expect(shown[0]).toContain("[redacted]");
  server.process.signal("SIGTERM");
  const { code, stdout, stderr } = await server.process.exited;
  expect(code).toBe(0);
  expect(model.requests.length).toBeGreaterThan(0);
  for (const text of [...shown, stdout, stderr, ...(await filesBelow(home.path))]) {
    if (text.trim() === server.token) continue;
    for (const secret of [CANARY.slice(0, 20), "sk-ant-api03-xx", server.token.slice(0, 20)]) {
      expect(text).not.toContain(secret);
    }
  }
});

/** Each is a secret of its own, so that one that gets out says which. */
const SECRETS = {
  client: "client7d31a9f05c8e42b6wren",
  mail: "mailbox58c0e7d2194fa36blark",
  key: "keyring61f8b02d7ae39c45crow",
};

const QUESTION = { model: "claude-opus-5", max_tokens: 9, messages: [{ role: "user", content: SECRETS.key }] };

/** A provider to sign in with that repeats whatever it is told. */
async function startTelltaleIssuer(): Promise<{
  url: string;
  asked(): number;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  let asked = 0;
  let url = "";
  const server = createServer(async (incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", url);
    const json = (status: number, value: object): void =>
      void outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (pathname === "/.well-known/openid-configuration") {
      const endpoints = {
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        jwks_uri: `${url}/jwks`,
      };
      json(200, { issuer: url, ...endpoints, response_types_supported: ["code"], subject_types_supported: ["public"] });
    } else if (pathname === "/authorize") {
      const back = new URL(searchParams.get("redirect_uri") ?? "");
      for (const [name, value] of [
        ["code", "c"],
        ["state", searchParams.get("state") ?? ""],
      ] as const)
        back.searchParams.set(name, value);
      outgoing.writeHead(302, { location: back.href }).end();
    } else {
      asked += 1;
      let body = "";
      for await (const chunk of incoming) body += String(chunk);
      const basic = (incoming.headers.authorization ?? "").replace("Basic ", "");
      const told = `${body} ${basic} ${Buffer.from(basic, "base64").toString()}`;
      expect(told).toContain(SECRETS.client);
      json(401, { error: "invalid_client", error_description: told, error_uri: `https://example.com/?${told}` });
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}

test("secrets of sign-in and mail, and a key where it does not belong, are in no answer, audit event, log, metric or file", {
  timeout: 120_000,
}, async () => {
  await using home = await temporaryDirectory();
  await using issuer = await startTelltaleIssuer();
  await using model = await startScriptedModel({ script: [say("Fine.")] });
  const certificate = selfSignedCertificate();
  await writeFile(join(home.path, "ca.pem"), certificate.cert);
  let mailed = 0;
  await using mail = await startMailServer({
    ...certificate,
    secure: true,
    onAuth({ username, password }, _session, done) {
      mailed += 1;
      expect(password).toBe(SECRETS.mail);
      const plain = Buffer.from(`\0${username}\0${password}`).toString("base64");
      done(new Error(`Not ${password}, not ${plain}, not ${Buffer.from(String(password)).toString("base64")}`));
    },
  });
  const env = environment(home.path, {
    NODE_EXTRA_CA_CERTS: join(home.path, "ca.pem"),
    LOOM_SERVER_ANTHROPIC_API_KEY: SECRETS.key,
    LOOM_SERVER_ANTHROPIC_BASE_URL: model.url,
    LOOM_SERVER_OIDC_TELLTALE_ISSUER: issuer.url,
    LOOM_SERVER_OIDC_TELLTALE_CLIENT_ID: "loom",
    LOOM_SERVER_OIDC_TELLTALE_CLIENT_SECRET: SECRETS.client,
    LOOM_SERVER_SMTP_HOST: "127.0.0.1",
    LOOM_SERVER_SMTP_PORT: String(mail.port),
    LOOM_SERVER_SMTP_TLS: "tls",
    LOOM_SERVER_SMTP_USERNAME: "loom",
    LOOM_SERVER_SMTP_PASSWORD: SECRETS.mail,
    LOOM_SERVER_MAIL_FROM: "loom@example.com",
    LOOM_SERVER_AUDIT_LOG_DIR: join(home.path, "audit-log"),
    LOOM_SERVER_AUDIT_LLM: "on",
  });
  const args = ["--log-level", "debug", "--log-file", `${home.path}/server.log`];
  const server = await startServerProcess(`${home.path}/data`, { env, args });
  const answers: string[] = [];
  const ask = async (method: string, path: string, body?: unknown, more: Record<string, string> = {}) => {
    const headers = { authorization: `Bearer ${server.token}`, "content-type": "application/json", ...more };
    const answer = await send(server.url, {
      method,
      path,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    answers.push(JSON.stringify(answer));
    return answer;
  };

  const browser = new TestBrowser();
  for (const path of ["/auth/providers", "/auth/sign-in", "/auth/login/telltale"]) {
    answers.push(JSON.stringify(await browser.open(`${server.url}${path}`)));
  }
  answers.push(JSON.stringify(await browser.submit(`${server.url}/auth/magic-link`, { email: "ada@example.com" })));
  const dialogue = await runServer(["mail", "test", "ada@example.com"], env);

  // Somebody has the key in a conversation: that is his, and what is said of it elsewhere does not have it.
  const thread = newThreadId();
  const made = await send(server.url, {
    ...{ method: "PUT", path: `/api/threads/${thread}` },
    headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json", "if-none-match": "*" },
    body: JSON.stringify({ records: [headerOf(thread), text(said(`my key is ${SECRETS.key}`))] }),
  });
  expect(made.status).toBe(201);
  const isBad = await ask(
    "POST",
    `/api/threads/${thread}/records`,
    { records: [`{"${SECRETS.key}"`] },
    { "if-match": '"2"' },
  );
  const isNone = await ask(
    "PUT",
    `/api/threads/${newThreadId()}`,
    { records: [`{"type":"${SECRETS.key}"}`] },
    { "if-none-match": "*" },
  );
  expect([isBad.status, isNone.status]).toEqual([400, 400]);
  await ask("DELETE", `/api/threads/${thread}`, undefined, { "if-match": "*" });
  // Where an event of the audit log takes something over from who asks.
  const agent = { "user-agent": `curl ${SECRETS.key}` };
  await ask("POST", "/api/tokens", { name: "ci" }, agent);
  await ask("GET", `/api/admin/audit/export?actor=${SECRETS.key}`, undefined, agent);
  await ask("GET", "/api/tokens", undefined, { ...agent, authorization: `Bearer ${SECRETS.key}` });
  await ask("POST", "/anthropic/v1/messages", QUESTION, agent);
  for (const path of [
    "/api/admin/audit?limit=100",
    "/api/admin/audit/export",
    "/api/admin/audit/export?format=csv",
    "/metrics",
    "/readyz",
    "/api/models",
  ]) {
    await ask("GET", path);
  }
  server.process.signal("SIGTERM");
  const { code, stdout, stderr } = await server.process.exited;
  expect(code).toBe(0);
  expect([issuer.asked(), mailed > 1]).toEqual([1, true]);

  const files = await filesBelow(home.path);
  const told = [...answers, stdout, stderr, dialogue.stdout, dialogue.stderr, ...files];
  expect(told.join("\n")).toContain("audit.exported");
  expect(told.join("\n")).toContain("[redacted]");
  for (const each of told) {
    for (const secret of [SECRETS.client, SECRETS.mail]) expectWithout(each, secret);
  }
  // The database has the conversation.
  const outsideOfIt = files.filter((each) => !each.startsWith("SQLite") && !each.includes("my key is"));
  for (const each of [...answers, stdout, stderr, ...outsideOfIt]) expectWithout(each, SECRETS.key);
});

/** As it is, and as part of something in Base64, wherever in it. */
function expectWithout(told: string, secret: string): void {
  expect(told).not.toContain(secret);
  for (const shift of [0, 1, 2]) {
    const encoded = Buffer.from("x".repeat(shift) + secret).toString("base64");
    expect(told).not.toContain(encoded.slice(4, 20));
  }
}

test.runIf(process.platform === "linux")("a key is in no argument of the process", async () => {
  await using home = await temporaryDirectory();
  const env = environment(home.path, { ANTHROPIC_API_KEY: CANARY });
  const server = await startServerProcess(`${home.path}/data`, { env });
  const commandLine = await readFile(`/proc/${server.process.pid}/cmdline`, "utf8");
  expect(commandLine).not.toContain(CANARY);
  expect(commandLine).not.toContain(server.token);
  server.process.kill();
  await server.process.exited;
});

test.runIf(process.platform === "linux")("no secret stays in the environment that other programs see", async () => {
  await using home = await temporaryDirectory();
  const key = (letter: string): string => Buffer.alloc(32, letter).toString("base64");
  const secrets = {
    ANTHROPIC_API_KEY: "canary-shared-51f0",
    LOOM_SERVER_ANTHROPIC_API_KEY: "canary-own-92c7",
    LOOM_SERVER_COMPATIBLE_LOCAL_API_KEY: "canary-compatible-0b3e",
    LOOM_SERVER_MASTER_KEY: key("m"),
    LOOM_SERVER_AUDIT_KEY: key("a"),
    LOOM_SERVER_AUDIT_WEBHOOK_URL: "https://127.0.0.1:9/canary-address-77ad",
    LOOM_SERVER_AUDIT_WEBHOOK_SECRET: `whsec_${key("w")}`,
    LOOM_SERVER_SMTP_PASSWORD: "canary-mail-4d19",
    LOOM_SERVER_OIDC_TELLTALE_CLIENT_SECRET: "canary-client-e6b2",
  };
  const env = environment(home.path, {
    ...secrets,
    LOOM_SERVER_COMPATIBLE_LOCAL_BASE_URL: "http://127.0.0.1:9/v1",
    LOOM_SERVER_OIDC_TELLTALE_ISSUER: "http://127.0.0.1:9",
    LOOM_SERVER_OIDC_TELLTALE_CLIENT_ID: "loom",
  });
  const server = await startServerProcess(`${home.path}/data`, { env });
  const seen = await readFile(`/proc/${server.process.pid}/environ`, "utf8");
  expect(seen).toContain("LOOM_SERVER_OIDC_TELLTALE_CLIENT_ID=loom");
  expect(Object.entries(secrets).filter(([, secret]) => seen.includes(secret))).toEqual([]);
  server.process.kill();
  await server.process.exited;
});
