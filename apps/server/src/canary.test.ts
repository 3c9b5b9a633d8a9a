import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Fault, fail, fault, say, startScriptedModel } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { environment, type ServerProcess, startServerProcess } from "./process.testing.ts";
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
