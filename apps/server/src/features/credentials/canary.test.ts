import { readdir, readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { runProcess } from "@loom/testkit";
import { expect, test } from "vitest";
import { environment, PROGRAM, startServerProcess } from "../../process.testing.ts";
import { send, temporaryDirectory } from "../../testing.ts";
import { type SeenRequest, startUpstream } from "../gateway/upstream.testing.ts";
import { ANSWER } from "./credentials.testing.ts";

/** In the shape of no known key, so that only knowing them finds them. */
const CANARIES = {
  key: "canary7d31f0a94be2c865finch",
  fileKey: "canary2a9bb83c1d07f4e6robin",
  clientSecret: "canary88d0c2e7b15a3f96swift",
  refresh: "canary0f6ae91d2c74b385heron",
  access: "canary51c7f3da08e9b264egret",
  newRefresh: "canaryc40b6d83f91ea572stork",
  newAccess: "canary9e17a5c3b6d2f048crane",
};
const REQUEST = { model: "claude-x", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] };

/** Ways in which a provider quotes the key that it got. */
const TELLTALES: readonly ((key: string, response: ServerResponse) => void)[] = [
  (_key, response) => void response.writeHead(200, { "content-type": "application/json" }).end(ANSWER),
  (key, response) => refuse(response, 401, `The key ${key} is void.`),
  (key, response) => refuse(response, 403, `Not with ${Buffer.from(`x:${key}`).toString("base64")}.`),
  (key, response) => refuse(response, 400, `You sent ${key}.`, { "x-key": key }),
  (key, response) => refuse(response, 429, `The quota of ${key} is used up.`),
  (key, response) => refuse(response, 429, `Slow down, ${key}.`, { "retry-after": "1" }),
  (key, response) => refuse(response, 500, `Broken by ${key}.`),
  (key, response) => void response.writeHead(502, { "content-type": "text/html" }).end(`<p>${key}</p>`),
];

function refuse(response: ServerResponse, status: number, message: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify({ type: "error", error: { type: message, message } });
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
}

const keyOf = ({ headers }: SeenRequest): string =>
  String(headers["x-api-key"] ?? headers.authorization).replace("Bearer ", "");

test("no secret of a credential is ever seen: stored, used, refused, refreshed, disabled or removed", async () => {
  await using home = await temporaryDirectory();
  const data = `${home.path}/data`;
  let telltale = TELLTALES[0];
  const upstream = await startUpstream((response, request) => telltale?.(keyOf(request), response));
  const endpoint = await startUpstream((response, { body }, number) => {
    // What it says about a failure quotes everything that it got.
    if (number === 2) return refuse(response, 503, body.toString("utf8"));
    if (number > 2) {
      const error = { error: "invalid_grant", error_description: body.toString("utf8") };
      return void response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify(error));
    }
    const fresh = { access_token: CANARIES.newAccess, refresh_token: CANARIES.newRefresh, expires_in: 3600 };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(fresh));
  });
  const env = environment(home.path, { LOOM_SERVER_ANTHROPIC_BASE_URL: upstream.url });
  const args = ["--log-level", "debug", "--log-file", `${home.path}/server.log`];
  const seen: string[] = [];

  /** The command, with a secret on its standard input. */
  const command = async (words: readonly string[], input = ""): Promise<void> => {
    const done = await runProcess(process.execPath, [PROGRAM, "credential", ...words, "--data", data], { env, input });
    seen.push(done.stdout, done.stderr);
  };
  await command(["add", "anthropic", "--label", "key"], CANARIES.key);
  const server = await startServerProcess(data, { env, args });
  const headers = { authorization: `Bearer ${server.token}`, "content-type": "application/json" };
  const call = async (method: string, path: string, body?: unknown): Promise<string> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = JSON.stringify(await send(server.url, { method, path, headers, ...sent }));
    seen.push(answer);
    return answer;
  };
  const ask = (): Promise<string> => call("POST", "/proxy/anthropic/v1/messages", REQUEST);
  const refuseAll = async (label: string): Promise<void> => {
    for (const each of TELLTALES) {
      telltale = each;
      await call("PATCH", `/api/admin/credentials/${label}`, { enabled: true });
      await ask();
      await call("GET", "/api/admin/credentials");
    }
    telltale = TELLTALES[0];
  };
  await refuseAll("key");

  const account = {
    type: "oauth",
    refreshToken: CANARIES.refresh,
    accessToken: CANARIES.access,
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    tokenEndpoint: `${endpoint.url}/token`,
    clientId: "client",
    clientSecret: CANARIES.clientSecret,
  };
  await call("DELETE", "/api/admin/credentials/key");
  await call("POST", "/api/admin/credentials", { provider: "anthropic", label: "account", secret: account });
  // Refused with the first access token; with the second, which is new, once more.
  await refuseAll("account");
  await call("POST", "/api/admin/credentials", {
    provider: "anthropic",
    label: "void",
    secret: { ...account, expiresAt: "2020-01-01T00:00:00Z" },
  });
  await call("PATCH", "/api/admin/credentials/account", { enabled: false });
  await ask();
  await call("POST", "/api/admin/credentials", {
    provider: "anthropic",
    label: "void",
    secret: { type: "api_key", key: CANARIES.fileKey },
  });
  await call("POST", "/api/admin/credentials", {
    provider: "anthropic",
    secret: { type: "api_key", key: `${CANARIES.fileKey} x` },
  });
  await command(["add", "anthropic", "--label", "void"], CANARIES.fileKey);
  await command(["add", "anthropic", CANARIES.fileKey]);
  await command(["add", "anthropic", "--oauth"], JSON.stringify({ refreshToken: CANARIES.fileKey }));
  await command(["rotate-key"]);
  await command(["list"]);
  await command(["show", "account"]);
  for (const path of ["/metrics", "/readyz", "/api/admin/credentials", "/api/usage?by=upstream"])
    await call("GET", path);
  // Also what is not yet in the database itself.
  seen.push(...(await filesBelow(home.path)));
  server.process.signal("SIGTERM");
  const { code, stdout, stderr } = await server.process.exited;
  expect(code).toBe(0);
  seen.push(stdout, stderr, ...(await filesBelow(home.path)));
  await upstream.close();
  await endpoint.close();

  const used = new Set(upstream.seen.map(keyOf));
  expect(used).toEqual(new Set([CANARIES.key, CANARIES.access, CANARIES.newAccess]));
  const asked = endpoint.seen.map(({ body }) => body.toString("utf8")).join("\n");
  expect(asked).toContain(CANARIES.refresh);
  const everything = seen.join("\n");
  for (const witness of ["credential disabled", "credential cools down", "credential added", "[redacted]"]) {
    expect(everything).toContain(witness);
  }
  for (const [name, canary] of Object.entries(CANARIES)) {
    for (const form of [
      canary,
      Buffer.from(canary).toString("base64").slice(0, 30),
      Buffer.from(canary).toString("hex"),
    ]) {
      expect([name, seen.filter((text) => text.includes(form))]).toEqual([name, []]);
    }
  }
});

/** Every byte that the server leaves behind, one text for each file; the database with its journals, too. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")));
}
