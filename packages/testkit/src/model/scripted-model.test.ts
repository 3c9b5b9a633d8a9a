import { connect } from "node:net";
import { brotliCompressSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { anthropicRequest, chatRequest } from "../client-requests.testing.ts";
import { findFreePort } from "../environment/free-port.ts";
import { runProcess } from "../environment/run-process.ts";
import { exchange, openExchange, sendAndDrop } from "../raw-exchange.testing.ts";
import { fault } from "./fault.ts";
import { fail, say } from "./reply.ts";
import { type ScriptedModel, type ScriptedModelOptions, startScriptedModel } from "./scripted-model.ts";

let started: ScriptedModel | undefined;

afterEach(() => started?.close());

async function start(options: ScriptedModelOptions): Promise<ScriptedModel> {
  started = await startScriptedModel(options);
  return started;
}

const hello = say("Hello");

test("a key is needed in either header, and checked when one is expected", async () => {
  const model = await start({ script: () => hello, expectedKey: "right" });
  const { headers, body } = anthropicRequest();
  const status = async (extra: Record<string, string>) => {
    const sent = { "anthropic-version": "2023-06-01", ...extra };
    return (await exchange(`${model.url}/v1/messages`, { body: body ?? "", headers: sent })).status;
  };
  expect(headers).toHaveProperty("x-api-key");
  expect(await status({})).toBe(401);
  expect(await status({ "x-api-key": "wrong" })).toBe(401);
  expect(await status({ "x-api-key": "right" })).toBe(200);
  expect(await status({ authorization: "Bearer right" })).toBe(200);
});

test("401 has Anthropic's body on Anthropic's path", async () => {
  const model = await start({ script: [] });
  const response = await exchange(`${model.url}/v1/messages`, { body: {} });
  expect(JSON.parse(response.text)).toMatchObject({
    type: "error",
    error: { type: "authentication_error", message: "invalid x-api-key" },
  });
});

test("what the provider would refuse is refused, with its reason", async () => {
  const model = await start({ script: () => hello });
  const url = `${model.url}/v1/messages`;
  const noVersion = await exchange(url, { ...anthropicRequest(), headers: { "x-api-key": "k" } });
  expect([noVersion.status, noVersion.text]).toEqual([400, expect.stringContaining("anthropic-version")]);
  const noJson = await exchange(url, { ...anthropicRequest(), body: "{" });
  expect([noJson.status, noJson.text]).toEqual([400, expect.stringContaining("not valid JSON")]);
  const elsewhere = await exchange(`${model.url}/v1/elsewhere`, chatRequest());
  expect(elsewhere.status).toBe(404);
});

test("a script reads the conversation, and counts its requests", async () => {
  const model = await start({ script: ({ prompt, model: name }, index) => say(`${index}: ${name} heard "${prompt}"`) });
  await exchange(`${model.url}/v1/messages`, anthropicRequest());
  const { text } = await exchange(`${model.url}/v1/chat/completions`, chatRequest());
  expect(JSON.parse(text).choices[0].message.content).toBe('1: gpt-test heard "Hello"');
});

test("a list is used up in order, and then refuses", async () => {
  const model = await start({ script: [say("one"), ({ prompt }) => say(`two ${prompt}`)] });
  const ask = async () => exchange(`${model.url}/v1/messages`, anthropicRequest());
  expect((await ask()).text).toContain('"text":"one"');
  expect((await ask()).text).toContain('"text":"two Hello"');
  const third = await ask();
  expect([third.status, third.text]).toEqual([400, expect.stringContaining("has 2 replies and this is request 3")]);
});

test("a script that throws is told to the client", async () => {
  const model = await start({
    script: () => {
      throw new Error("no idea");
    },
  });
  const response = await exchange(`${model.url}/v1/messages`, anthropicRequest());
  expect([response.status, response.text]).toEqual([400, expect.stringContaining("The script failed: no idea")]);
});

test("a request for a commit message does not use up the script", async () => {
  const model = await start({ script: [hello] });
  const asks = anthropicRequest({
    system: "Write a commit message for this diff.",
    messages: [{ role: "user", content: "diff --git a/README.md b/README.md\n@@ -1 +1 @@\n-a\n+b\n" }],
  });
  expect((await exchange(`${model.url}/v1/messages`, asks)).text).toContain("docs(README): update README.md");
  expect((await exchange(`${model.url}/v1/messages`, anthropicRequest())).text).toContain('"text":"Hello"');
});

test("commit messages can be the script's own business", async () => {
  const model = await start({ script: [hello], answerCommitMessages: false });
  const asks = anthropicRequest({ system: "Write a commit message for this diff." });
  expect((await exchange(`${model.url}/v1/messages`, asks)).text).toContain('"text":"Hello"');
});

test("every request is recorded as it came", async () => {
  const model = await start({ script: () => hello });
  await exchange(`${model.url}/v1/messages?beta=true`, anthropicRequest({ system: "Be brief." }));
  const [request] = model.requests;
  expect(request).toMatchObject({
    method: "POST",
    path: "/v1/messages?beta=true",
    headers: { "x-api-key": "test-key" },
    body: { system: "Be brief." },
    conversation: { system: "Be brief.", prompt: "Hello" },
    aborted: false,
  });
  expect(request?.bodyBytes).toBe(Buffer.byteLength(JSON.stringify(request?.body)));
});

test("a compressed body is understood", async () => {
  const model = await start({ script: ({ prompt }) => say(prompt) });
  const { headers, body } = anthropicRequest();
  const response = await exchange(`${model.url}/v1/messages`, {
    headers: { ...headers, "content-encoding": "br" },
    body: brotliCompressSync(JSON.stringify(body)),
  });
  expect(response.text).toContain('"text":"Hello"');
});

test("one can wait for the next request, or for a number of them", async () => {
  const model = await start({ script: () => hello });
  const first = model.nextRequest();
  const three = model.waitForRequests(3);
  for (const prompt of ["a", "b", "c"]) {
    await exchange(`${model.url}/v1/messages`, anthropicRequest({ messages: [{ role: "user", content: prompt }] }));
  }
  expect((await first).conversation?.prompt).toBe("a");
  expect((await three).map((request) => request.conversation?.prompt)).toEqual(["a", "b", "c"]);
});

test("waiting ends with an error when the model is closed", async () => {
  const model = await start({ script: [] });
  const never = model.nextRequest();
  const closed = model.close();
  await expect(never).rejects.toThrow("closed with 0 of 1 awaited requests");
  await closed;
});

test("a client that leaves is noticed at once, before its answer has begun or while it streams", async () => {
  const model = await start({
    script: [fail(fault.neverAnswer()), say("x".repeat(50), { delivery: { deltas: 50, gapMs: 60_000 } })],
  });
  const url = `${model.url}/v1/messages`;
  const recorded = model.nextRequest();
  const drop = sendAndDrop(url, anthropicRequest({ stream: true }));
  const first = await recorded;
  expect(first.aborted).toBe(false);
  drop();
  await first.whenAborted;
  expect(first.aborted).toBe(true);

  const open = await openExchange(url, anthropicRequest({ stream: true }));
  await open.waitFor("message_start");
  open.abort();
  await model.requests[1]?.whenAborted;
});

test("a client that leaves in the middle of its own request does no harm", async () => {
  const model = await start({ script: () => hello });
  const recorded = model.nextRequest();
  const socket = connect(model.port, "127.0.0.1", () => {
    socket.write("POST /v1/messages HTTP/1.1\r\nHost: x\r\nX-Api-Key: k\r\nContent-Length: 1000\r\n\r\n{", () =>
      socket.destroy(),
    );
  });
  const request = await recorded;
  await request.whenAborted;
  expect(request.body).toBeUndefined();
  expect((await exchange(`${model.url}/v1/messages`, anthropicRequest())).status).toBe(200);
});

test("a client that never reads a large answer does not stop the others", async () => {
  const model = await start({ script: () => say("lorem ipsum ".repeat(100_000)) });
  const lazy = connect(model.port, "127.0.0.1", () => {
    const { headers = {}, body } = anthropicRequest({ stream: true });
    const text = JSON.stringify(body);
    const head = Object.entries({ host: "x", ...headers, "content-length": String(text.length) });
    lazy
      .pause()
      .write(`POST /v1/messages HTTP/1.1\r\n${head.map(([key, value]) => `${key}: ${value}\r\n`).join("")}\r\n${text}`);
  });
  await model.waitForRequests(1);
  const other = await exchange(`${model.url}/v1/messages`, anthropicRequest({ stream: true }));
  expect(other.complete).toBe(true);
  lazy.destroy();
  await model.requests[0]?.whenAborted;
});

test("a provider can be down and come back on the same port", async () => {
  const model = await start({ script: () => hello });
  await model.refuseConnections();
  await expect(exchange(`${model.url}/v1/messages`, anthropicRequest())).rejects.toMatchObject({
    code: "ECONNREFUSED",
  });
  await model.acceptConnections();
  expect((await exchange(`${model.url}/v1/messages`, anthropicRequest())).status).toBe(200);
});

test("it listens on the port it is given, and fails where that is taken", async () => {
  const port = await findFreePort();
  const model = await start({ script: [], port });
  expect(model.url).toBe(`http://127.0.0.1:${port}`);
  await expect(startScriptedModel({ script: [], port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("closing twice is fine, and nothing keeps the process alive", async () => {
  const entry = new URL("../index.ts", import.meta.url).href;
  const program = `
    import { fail, fault, say, startScriptedModel } from ${JSON.stringify(entry)};
    import { request } from "node:http";
    const slow = say("a b c d", { delivery: { deltas: 4, gapMs: 3_600_000 } });
    const model = await startScriptedModel({ script: [fail(fault.neverAnswer()), slow] });
    for (let i = 0; i < 2; i++) {
      const recorded = model.nextRequest();
      const outgoing = request(model.url + "/v1/messages", { method: "POST", headers: { "x-api-key": "k", "anthropic-version": "1" } });
      outgoing.on("error", () => {});
      outgoing.on("response", (response) => response.on("error", () => {}).resume());
      outgoing.end(JSON.stringify({ model: "m", stream: true, max_tokens: 1, messages: [{ role: "user", content: "x" }] }));
      await recorded;
    }
    await model.close();
    await model.close();
    console.log("closed");
  `;
  const result = await runProcess(process.execPath, ["--input-type=module", "--eval", program]);
  expect(result).toMatchObject({ code: 0, stdout: "closed\n", timedOut: false });
});
