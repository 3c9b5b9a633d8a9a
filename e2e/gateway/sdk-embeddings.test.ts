import OpenAI from "openai";
import { expect, test } from "vitest";
import { startListeningProvider } from "./listening-provider.testing.ts";
import { PROVIDER_KEYS, startLoomServer } from "./loom-server.testing.ts";

const VECTOR = [0.5, -1, 2];

test("OpenAI's SDK embeds with the models of several providers at one address", async () => {
  const seen: string[] = [];
  // As OpenAI does, also in the form that its SDK asks for.
  using embedder = await startListeningProvider(({ url, headers }, body, outgoing) => {
    const { model, input, encoding_format } = JSON.parse(body.toString());
    seen.push(`${url} ${headers.authorization} ${model} ${input}`);
    const base64 = Buffer.from(Float32Array.from(VECTOR).buffer).toString("base64");
    const data = [{ object: "embedding", index: 0, embedding: encoding_format === "base64" ? base64 : VECTOR }];
    outgoing.setHeader("content-type", "application/json");
    outgoing.end(JSON.stringify({ object: "list", model, data, usage: { prompt_tokens: 3, total_tokens: 3 } }));
  });
  await using server = await startLoomServer(embedder.url);
  const client = new OpenAI({ baseURL: `${server.url}/openai/v1`, apiKey: server.token, maxRetries: 0 });
  for (const model of ["text-embedding-3-small", "local/nomic-embed-text"]) {
    const { data } = await client.embeddings.create({ model, input: "Hi" });
    expect(data[0]?.embedding).toEqual(VECTOR);
  }
  expect(seen).toEqual([
    `/v1/embeddings Bearer ${PROVIDER_KEYS.openai} text-embedding-3-small Hi`,
    `/v1/embeddings Bearer ${PROVIDER_KEYS.local} nomic-embed-text Hi`,
  ]);
  await expect(client.embeddings.create({ model: "claude-opus-5", input: "Hi" })).rejects.toThrow(
    /The provider anthropic does nothing of the kind/,
  );
  const { groups } = await server.usage("groupBy=model");
  expect(groups.find(({ key }) => key[0] === "nomic-embed-text")).toMatchObject({ tokens: { input: 3 } });
});
