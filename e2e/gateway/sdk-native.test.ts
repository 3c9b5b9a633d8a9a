import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoomServer, PROVIDER_KEYS, startLoomServer } from "./loom-server.testing.ts";
import { type RawProvider, startRawProvider } from "./raw-provider.testing.ts";
import { anthropicOptions } from "./sdk/anthropic.testing.ts";
import { googleClient } from "./sdk/google-genai.testing.ts";

let provider: RawProvider;
let server: LoomServer;
beforeAll(async () => {
  provider = await startRawProvider();
  server = await startLoomServer(provider.url);
});
afterAll(async () => {
  await server.close();
  await provider.close();
});

/** Headers that belong to a connection or say who asks: the only ones that may differ. */
const OWN = ["host", "connection", "authorization", "x-api-key", "x-goog-api-key", "accept-encoding", "content-length"];

/** What the provider saw and what the client got: straight, and through Loom. */
async function both(
  straight: () => Promise<Response>,
  throughLoom: () => Promise<Response>,
): Promise<{ readonly seen: unknown[]; readonly got: Buffer[]; readonly keys: string }> {
  const from = provider.seen.length;
  const answers = [await straight(), await throughLoom()];
  const got = await Promise.all(answers.map(async (answer) => Buffer.from(await answer.arrayBuffer())));
  const requests = provider.seen.slice(from);
  const seen = requests.map(({ method, path, headers, body }) => ({
    method,
    path,
    body: body.toString("latin1"),
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN.includes(name))),
  }));
  return { seen, got, keys: JSON.stringify(requests[1]?.headers) };
}

const FUTURE = { from_a_later_version: { level: 1.5, words: ["ä", "\u2028"] } };

test.each([true, false])(
  "Messages pass byte for byte, betas and fields of a later version too (stream: %s)",
  async (stream) => {
    const ask = (baseUrl: string, token: string) => async () => {
      const client = new Anthropic(anthropicOptions({ baseUrl, token }));
      const params = {
        model: "claude-sonnet-5",
        max_tokens: 9,
        stream,
        betas: ["future-2031-01-01", "other-2032-02-02"],
        ...FUTURE,
      };
      const messages = [{ role: "user" as const, content: "Hällo" }];
      return client.beta.messages.create({ ...params, messages }).asResponse();
    };
    const { seen, got, keys } = await both(
      ask(provider.url, PROVIDER_KEYS.anthropic),
      ask(`${server.url}/proxy/anthropic`, server.token),
    );
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1]).toMatchObject({ headers: { "anthropic-beta": "future-2031-01-01,other-2032-02-02" } });
    expect(got[1]?.equals(got[0] ?? Buffer.of())).toBe(true);
    expect(got[1]?.includes("an_event_of_a_later_version")).toBe(true);
    expect(keys).toContain(PROVIDER_KEYS.anthropic);
    expect(keys).not.toContain(server.token);
  },
);

test.each([true, false])("Responses pass byte for byte (stream: %s)", async (stream) => {
  const ask = (baseURL: string, apiKey: string) => async () => {
    const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, defaultHeaders: { "openai-beta": "future=v9" } });
    return client.responses.create({ model: "gpt-5.4", input: "Hällo", stream, ...FUTURE }).asResponse();
  };
  const { seen, got, keys } = await both(
    ask(`${provider.url}/v1`, PROVIDER_KEYS.openai),
    ask(`${server.url}/proxy/openai/v1`, server.token),
  );
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[1]).toMatchObject({ headers: { "openai-beta": "future=v9" } });
  expect(got[1]?.equals(got[0] ?? Buffer.of())).toBe(true);
  expect(keys).not.toContain(server.token);
});

test.each([true, false])("Gemini's requests pass byte for byte (stream: %s)", async (stream) => {
  const bodies: string[] = [];
  for (const access of [
    { baseUrl: provider.url, token: PROVIDER_KEYS.gemini },
    { baseUrl: `${server.url}/proxy/gemini`, token: server.token },
  ]) {
    const { models } = googleClient(access);
    const request = {
      model: "gemini-3.1-pro-preview",
      contents: "Hällo",
      config: { httpOptions: { extraBody: FUTURE } },
    };
    if (stream) for await (const { text } of await models.generateContentStream(request)) expect(text).toBe("Hi");
    else expect((await models.generateContent(request)).text).toBe("Hi");
    const { path, body } = provider.seen.at(-1) ?? {};
    bodies.push(`${path} ${body}`);
  }
  expect(bodies[1]).toBe(bodies[0]);
  expect(bodies[1]).toContain("from_a_later_version");
});
