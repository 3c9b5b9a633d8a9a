import Anthropic from "@anthropic-ai/sdk";
import { type ScriptedModel, startScriptedModel } from "@loom/testkit";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoomServer, startLoomServer } from "./loom-server.testing.ts";
import { createScriptedTurns, PROMPT } from "./scripted-turns.testing.ts";
import { clientOf, MODELS_OF, SDKS } from "./sdk/sdks.testing.ts";

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

/** What each SDK raises for an `AbortController` of its caller. */
const ABORTED = {
  anthropic: Anthropic.APIUserAbortError,
  chat: OpenAI.APIUserAbortError,
  responses: OpenAI.APIUserAbortError,
  google: Error,
} as const;

const CASES = SDKS.flatMap((sdk) => MODELS_OF[sdk].map((name) => ({ sdk, name })));

describe.each(CASES)("$sdk that lets go of $name", ({ sdk, name }) => {
  const client = () => clientOf(sdk, { url: server.url, token: server.token });

  test("in the middle of a stream ends the provider's request", async () => {
    const abort = new AbortController();
    const next = model.nextRequest();
    const onText = () => abort.abort();
    const asking = client().ask({ model: name, prompt: PROMPT.hang, stream: true, signal: abort.signal, onText });
    await expect(asking).rejects.toBeInstanceOf(ABORTED[sdk]);
    await (await next).whenAborted;
  });

  test.each([true, false])("before anything has come ends the provider's request (stream: %s)", async (stream) => {
    const abort = new AbortController();
    const next = model.nextRequest();
    const asking = client().ask({ model: name, prompt: PROMPT.silence, stream, signal: abort.signal });
    const settled = expect(asking).rejects.toBeInstanceOf(ABORTED[sdk]);
    const request = await next;
    abort.abort();
    await settled;
    await request.whenAborted;
  });
});

test("the ledger has every request that was let go of", async () => {
  const groups = async () => (await server.usage("groupBy=outcome")).groups;
  const all = expect.objectContaining({ key: ["cancelled"], requests: CASES.length * 3 });
  // The row of the last one is written when the provider's side has long seen its end.
  await expect.poll(groups, { timeout: 15_000 }).toEqual([all]);
});
