import { writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Log, type LogFields, SILENT_LOG } from "../../kit/log.ts";
import { temporaryDirectory } from "../../testing.ts";
import { type Answer, ask, startGateway, type TestGateway } from "./gateway.testing.ts";
import { GOOGLE_TOKEN, startGoogle, type TestGoogle } from "./google/google.testing.ts";
import type { SeenRequest } from "./upstream.testing.ts";

const PUBLISHERS = "/v1/projects/project-of-the-file/locations/global/publishers";

const CLAUDE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-test",
  content: [{ type: "text", text: "Grüße" }],
  stop_reason: "end_turn",
  usage: { input_tokens: 3, output_tokens: 2 },
};
const GEMINI = {
  candidates: [{ content: { role: "model", parts: [{ text: "Grüße" }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
  modelVersion: "gemini-test",
};
const CLAUDE_EVENTS = [
  { type: "message_start", message: { ...CLAUDE, content: [], stop_reason: null } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Grüße" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } },
  { type: "message_stop" },
];

/** What Vertex AI answers, by the method in the path. */
function answerOf(path: string): { readonly type: string; readonly body: string } {
  const json = (value: object) => ({ type: "application/json", body: JSON.stringify(value) });
  const events = (list: readonly Readonly<Record<string, unknown>>[]) => ({
    type: "text/event-stream",
    body: list
      .map(
        (event) =>
          `${event.type === undefined ? "" : `event: ${String(event.type)}\n`}data: ${JSON.stringify(event)}\n\n`,
      )
      .join(""),
  });
  const [, method] = /:(\w+)/.exec(path) ?? [];
  if (method === "streamRawPredict") return events(CLAUDE_EVENTS);
  if (method === "streamGenerateContent") return events([GEMINI]);
  return json(method === "rawPredict" ? CLAUDE : GEMINI);
}

async function start(
  options: {
    readonly refuses?: (request: SeenRequest) => boolean;
    readonly answer?: (response: ServerResponse) => void;
    readonly account?: object;
    readonly project?: string;
    readonly log?: Log;
  } = {},
): Promise<{ google: TestGoogle; gateway: TestGateway; file: string }> {
  const google = await startGoogle((response, request) => {
    if (options.refuses?.(request) === true) {
      response.writeHead(401).end('{"error":{"code":401,"message":"Request had invalid authentication credentials."}}');
      return;
    }
    if (options.answer !== undefined) {
      options.answer(response);
      return;
    }
    const { type, body } = answerOf(request.path);
    response.writeHead(200, { "content-type": type }).end(body);
  });
  onTestFinished(() => google.close());
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const file = join(directory.path, "account.json");
  await writeFile(file, JSON.stringify({ ...google.serviceAccount, ...options.account }), { mode: 0o600 });
  const gateway = await startGateway({
    env: {
      LOOM_SERVER_VERTEX_CREDENTIALS_FILE: file,
      LOOM_SERVER_VERTEX_BASE_URL: google.url,
      ...(options.project && { LOOM_SERVER_VERTEX_PROJECT: options.project }),
    },
    ...(options.log && { log: options.log }),
  });
  onTestFinished(() => gateway.close());
  return { google, gateway, file };
}

function post(gateway: TestGateway, path: string, body: object): Promise<Answer> {
  return ask(gateway.url + path, { body, headers: { authorization: `Bearer ${gateway.token}` } });
}

/** What came to the models, and not to the door where tokens are given. */
function modelRequests({ seen }: TestGoogle): readonly SeenRequest[] {
  return seen.filter(({ path }) => path !== "/token");
}

describe("a request for Vertex AI", () => {
  const messages = [{ role: "user", content: "Hi" }];
  const contents = [{ role: "user", parts: [{ text: "Hi" }] }];
  const chat = (model: string, stream: boolean) => ({ model, stream, max_completion_tokens: 9, messages });
  const version = { anthropic_version: "vertex-2023-10-16" };

  test.each([
    [
      "Gemini on its own path, whichever project the client names",
      "/proxy/vertex/v1/projects/theirs/locations/us-east1/publishers/google/models/gemini-x:generateContent",
      { contents },
      "google/models/gemini-x:generateContent",
      { contents },
    ],
    [
      "Gemini's stream on its own path",
      "/proxy/vertex/v1/projects/p/locations/l/publishers/google/models/gemini-x:streamGenerateContent?alt=sse",
      { contents },
      "google/models/gemini-x:streamGenerateContent?alt=sse",
      { contents },
    ],
    [
      "Claude on its own path",
      "/proxy/vertex/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@20251001:rawPredict",
      { ...version, max_tokens: 9, messages },
      "anthropic/models/claude-x@20251001:rawPredict",
      { ...version, max_tokens: 9, messages },
    ],
    [
      "a client of Anthropic, for Claude",
      "/anthropic/v1/messages",
      { model: "vertex/claude-x-20251001", max_tokens: 9, stream: true, messages },
      "anthropic/models/claude-x@20251001:streamRawPredict",
      { ...version, max_tokens: 9, stream: true, messages },
    ],
    [
      "a client of OpenAI, for Claude",
      "/openai/v1/chat/completions",
      chat("vertex/claude-x", false),
      "anthropic/models/claude-x:rawPredict",
      { ...version, max_tokens: 9, messages: [{ role: "user", content: [expect.objectContaining({ text: "Hi" })] }] },
    ],
    [
      "a client of OpenAI, for Claude's stream",
      "/openai/v1/chat/completions",
      chat("vertex/claude-x", true),
      "anthropic/models/claude-x:streamRawPredict",
      expect.objectContaining({ ...version, stream: true }),
    ],
    [
      "a client of OpenAI, for an alias",
      "/openai/v1/chat/completions",
      chat("fast", false),
      "google/models/gemini-3.5-flash:generateContent",
      { contents, generationConfig: { maxOutputTokens: 9 } },
    ],
    [
      "a client of OpenAI, for Gemini's stream",
      "/openai/v1/chat/completions",
      chat("default", true),
      "google/models/gemini-3.1-pro-preview:streamGenerateContent?alt=sse",
      { contents, generationConfig: { maxOutputTokens: 9 } },
    ],
  ])("of %s gets there with a token", async (_what, path, body, expectedPath, expectedBody) => {
    const { google, gateway } = await start();
    const answer = await post(gateway, path, body);
    expect([answer.status, answer.text.includes("Grüße")]).toEqual([200, true]);
    const [request] = modelRequests(google);
    expect(request?.path).toBe(`${PUBLISHERS}/${expectedPath}`);
    expect(request?.headers.authorization).toBe(`Bearer ${GOOGLE_TOKEN}`);
    const sent = JSON.parse(request?.body.toString() ?? "");
    expect(sent).toEqual(expectedBody);
    expect(sent).not.toHaveProperty("model");
    const [entry] = await gateway.waitForEntries(1);
    expect(entry).toMatchObject({
      upstream: "vertex",
      credentialId: "vertex-environment",
      usage: { inputTokens: 3, outputTokens: 2 },
    });
  });

  test("leaves out the ids of tool calls, which Gemini has no field for there", async () => {
    const { google, gateway } = await start();
    const call = { id: "call_1", type: "function", function: { name: "ls", arguments: "{}" } };
    await post(gateway, "/openai/v1/chat/completions", {
      model: "vertex/gemini-2.5-pro",
      messages: [
        ...messages,
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "call_1", content: "a.txt" },
      ],
    });
    const [request] = modelRequests(google);
    expect(JSON.parse(request?.body.toString() ?? "").contents.slice(1)).toEqual([
      { role: "model", parts: [{ functionCall: { name: "ls", args: {} } }] },
      { role: "user", parts: [{ functionResponse: { name: "ls", response: { output: "a.txt" } } }] },
    ]);
  });

  test("shares one token with all others", async () => {
    const { google, gateway } = await start();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post(gateway, "/openai/v1/chat/completions", chat("fast", false))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(google.seen.filter(({ path }) => path === "/token")).toHaveLength(1);
  });

  test("whose token was refused leaves the next one to get another", async () => {
    const refused = `Bearer ${GOOGLE_TOKEN}`;
    const { google, gateway } = await start({ refuses: ({ headers }) => headers.authorization === refused });
    const first = await post(gateway, "/openai/v1/chat/completions", chat("fast", false));
    expect(first.status).toBe(502);
    expect(first.text).not.toContain(GOOGLE_TOKEN);
    const second = await post(gateway, "/openai/v1/chat/completions", chat("fast", false));
    expect(second.status).toBe(200);
    expect(google.seen.filter(({ path }) => path === "/token")).toHaveLength(2);
  });

  test.each([
    [
      "in a stream that is passed on",
      "/proxy/vertex/v1/projects/p/locations/l/publishers/google/models/gemini-x:streamGenerateContent?alt=sse",
      { contents },
    ],
    ["in a stream that is translated", "/openai/v1/chat/completions", chat("fast", true)],
  ])("has no token in its errors: %s", async (_what, path, body) => {
    const lines: unknown[] = [];
    const log: Log = { ...SILENT_LOG, warn: (_, fields) => void lines.push(fields) };
    const begun = { ...GEMINI, candidates: [{ content: { role: "model", parts: [{ text: "Grü" }] } }] };
    const error = { error: { code: 503, status: "UNAVAILABLE", message: `You sent ${GOOGLE_TOKEN} here.` } };
    const answer = (response: ServerResponse): void => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`data: ${JSON.stringify(begun)}\n\ndata: ${JSON.stringify(error)}\n\n`);
    };
    const { gateway } = await start({ answer, log });
    const { text } = await post(gateway, path, body);
    expect(text).toContain("Grü");
    expect(text).toContain("You sent [redacted] here.");
    expect(JSON.stringify(lines)).toContain("You sent [redacted] here.");
    expect(text + JSON.stringify(lines)).not.toContain(GOOGLE_TOKEN);
  });

  test("has no token in what is said of a refusal, nor in the log", async () => {
    const lines: unknown[] = [];
    const log: Log = { ...SILENT_LOG, warn: (_, fields) => void lines.push(fields) };
    const error = { error: { code: 400, status: "INVALID_ARGUMENT", message: `You sent ${GOOGLE_TOKEN} here.` } };
    const { gateway } = await start({ answer: (response) => response.writeHead(400).end(JSON.stringify(error)), log });
    const { status, text } = await post(gateway, "/openai/v1/chat/completions", chat("fast", false));
    expect([status, text]).toEqual([400, expect.stringContaining("You sent [redacted] here.")]);
    expect(JSON.stringify(lines)).toContain("You sent [redacted] here.");
  });

  test.each([200, 400])("names the project that pays, which is no secret, where Google does (%i)", async (status) => {
    const body = JSON.stringify(status === 200 ? GEMINI : { error: { message: "Quota of my-project-1 exceeded." } });
    const headers = { "content-type": "application/json", "x-quota": "projects/my-project-1", "x-token": GOOGLE_TOKEN };
    const answer = (response: ServerResponse): void => void response.writeHead(status, headers).end(body);
    const user = {
      type: "authorized_user",
      client_id: "id",
      client_secret: "client-secret-1",
      refresh_token: "refresh-token-1",
      quota_project_id: "my-project-1",
    };
    const { gateway, google } = await start({ answer, account: user, project: "p" });
    const got = await post(
      gateway,
      "/proxy/vertex/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent",
      { contents },
    );
    expect(modelRequests(google)[0]?.headers["x-goog-user-project"]).toBe("my-project-1");
    expect([got.status, got.text]).toEqual([status, body]);
    expect([got.headers["x-quota"], got.headers["x-token"]]).toEqual(["projects/my-project-1", undefined]);
  });

  test("that gets no token says why, in the client's words, and asks no model; the log alone says which file it is", async () => {
    const lines: (LogFields | undefined)[] = [];
    const log: Log = { ...SILENT_LOG, warn: (_, fields) => void lines.push(fields) };
    const { google, gateway, file } = await start({ account: { client_email: "somebody@else.example" }, log });
    const answer = await post(gateway, "/openai/v1/chat/completions", chat("fast", false));
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.text).error.message).toMatch(
      /^No access to vertex: The Google account of this server was refused by 127\.0\.0\.1:\d+ \(400\): invalid_grant, Invalid issuer\.$/,
    );
    expect(answer.text + JSON.stringify(answer.headers)).not.toContain("account.json");
    expect(lines).toContainEqual(expect.objectContaining({ provider: "vertex", files: file }));
    expect(modelRequests(google)).toEqual([]);
  });
});
