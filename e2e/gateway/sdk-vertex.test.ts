import { AnthropicVertex } from "@anthropic-ai/vertex-sdk";
import { GoogleGenAI } from "@google/genai";
import { type ScriptedModel, startScriptedModel } from "@loom/testkit";
import { OAuth2Client } from "google-auth-library";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoomServer, PROVIDER_KEYS, startLoomServer } from "./loom-server.testing.ts";
import { CALLS, createScriptedTurns, PROMPT, SEAL } from "./scripted-turns.testing.ts";
import { anthropicSdk } from "./sdk/anthropic.testing.ts";
import { googleSdk } from "./sdk/google-genai.testing.ts";

let model: ScriptedModel;
let server: LoomServer;
beforeAll(async () => {
  model = await startScriptedModel({ script: createScriptedTurns() });
  server = await startLoomServer(model.url);
});
afterAll(async () => {
  await server.close();
  await model.close();
});

/** Where the SDKs expect an access token of Google's, they get Loom's. */
function authClient(): OAuth2Client {
  const client = new OAuth2Client();
  client.setCredentials({ access_token: server.token });
  return client;
}

describe("an SDK for Vertex AI", () => {
  const clients = {
    "@google/genai": () =>
      googleSdk(
        new GoogleGenAI({
          vertexai: true,
          project: "scripted-project",
          location: "us-central1",
          googleAuthOptions: { authClient: authClient() },
          httpOptions: { baseUrl: `${server.url}/proxy/vertex` },
        }),
      ),
    "@anthropic-ai/vertex-sdk": () =>
      anthropicSdk(
        new AnthropicVertex({
          region: "us-central1",
          projectId: "scripted-project",
          authClient: authClient(),
          baseURL: `${server.url}/proxy/vertex/v1`,
          maxRetries: 0,
        }),
      ),
  };

  describe.each([
    ["@google/genai", "gemini-3.1-pro-preview"],
    ["@anthropic-ai/vertex-sdk", "claude-sonnet-5"],
  ] as const)("%s", (sdk, name) => {
    test.each([true, false])("asks, calls tools and goes on (stream: %s)", async (stream) => {
      const client = clients[sdk]();
      const ask = { model: name, prompt: PROMPT.tools, stream, withTools: true, withThinking: true };
      const heard = await client.ask(ask);
      expect(heard).toMatchObject({ stop: "tools", calls: CALLS });
      expect((await heard.reply(() => "done")).text).toContain("get_time: done");
      const last = model.requests.at(-1);
      expect(last?.path).toContain(`/projects/scripted-project/locations/us-central1/publishers/`);
      expect(last?.headers.authorization).toBe(`Bearer ${PROVIDER_KEYS.vertex}`);
      expect(JSON.stringify(last?.body)).toContain(SEAL);
    });

    test("counts tokens", async () => {
      expect(await clients[sdk]().countTokens?.(name, "Hello")).toBeGreaterThan(0);
    });
  });
});
