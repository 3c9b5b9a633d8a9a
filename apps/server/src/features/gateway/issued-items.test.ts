import { ScopedMemory } from "@loom/llm";
import { callTool, say } from "@loom/testkit";
import { describe, expect, test } from "vitest";
import { ask, startBeforeModel, type TestGateway } from "./gateway.testing.ts";
import { withIssuedItems } from "./issued-items.ts";

const SEAL = Buffer.from("what the provider sealed").toString("base64");
const TOOLS = [{ type: "function", name: "weather", parameters: { type: "object", properties: {} } }];
const QUESTION = { role: "user", content: [{ type: "input_text", text: "How is it there?" }] };

type Item = { readonly type: string; readonly id: string; readonly call_id?: string };

/** As the AI SDK asks: it says nothing of `store`. */
async function respond({ url, token }: TestGateway, body: object) {
  const answer = await ask(`${url}/openai/v1/responses`, {
    body: { model: "claude-sonnet-5", tools: TOOLS, reasoning: { effort: "high", summary: "auto" }, ...body },
    headers: { authorization: `Bearer ${token}` },
  });
  const lines = answer.text.split("\n").filter((line) => line.startsWith("data: "));
  const items: Item[] =
    lines.length === 0
      ? JSON.parse(answer.text).output
      : lines
          .map((line) => JSON.parse(line.slice(6)))
          .filter(({ type }) => type === "response.output_item.done")
          .map(({ item }) => item);
  return { status: answer.status, text: answer.text, items: items ?? [] };
}

/** What the AI SDK sends of an answer when it asks again: its items by their ids, and the results of its calls. */
function goneOnWith(items: readonly Item[]): object[] {
  const references = items.map(({ id }) => ({ type: "item_reference", id }));
  const calls = items.filter(({ type }) => type === "function_call");
  return [...references, ...calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "Rain." }))];
}

describe.each([{ stream: false }, { stream: true }])("a client that refers to items ($stream)", ({ stream }) => {
  test("goes on with another provider's model: its thoughts with their seals, its words and its calls", async () => {
    const thinking = { text: "Hm.", signature: SEAL };
    const { model, gateway } = await startBeforeModel([
      callTool("weather", { place: "here", size: 1 }, { text: "I look.", thinking }),
      say("It rains."),
    ]);
    const first = await respond(gateway, { stream, input: [QUESTION] });
    expect(first.items.map(({ type }) => type)).toEqual(["reasoning", "message", "function_call"]);
    const second = await respond(gateway, { stream, input: [QUESTION, ...goneOnWith(first.items)] });
    expect(second.status).toBe(200);
    const [, answered, result] = model.requests[1]?.conversation?.messages ?? [];
    expect(answered?.content).toMatchObject([
      { type: "thinking", ...thinking },
      { type: "text", text: "I look." },
      { type: "tool_use", name: "weather", input: { place: "here", size: 1 } },
    ]);
    expect(result?.content).toMatchObject([{ type: "tool_result" }]);
  });

  test("may name an item twice, as it does for two texts of one message", async () => {
    const { model, gateway } = await startBeforeModel([say("It rains."), say("Yes.")]);
    const { items } = await respond(gateway, { stream, input: [QUESTION] });
    const references = goneOnWith(items);
    const again = { role: "user", content: "Sure?" };
    expect((await respond(gateway, { stream, input: [QUESTION, ...references, ...references, again] })).status).toBe(
      200,
    );
    const [, answered] = model.requests[1]?.conversation?.messages ?? [];
    expect(answered?.content).toMatchObject([{ type: "text", text: "It rains." }]);
  });
});

test("items that OpenAI does not hold reach it as themselves", async () => {
  const { model, gateway } = await startBeforeModel([callTool("weather", {}), say("It rains.")]);
  const { items } = await respond(gateway, { input: [QUESTION] });
  await respond(gateway, { model: "openai/gpt-5.4", input: [QUESTION, ...goneOnWith(items)] });
  const { input } = (model.requests[1]?.body ?? {}) as { readonly input?: readonly Item[] };
  expect(input?.map(({ type }) => type)).toEqual([undefined, "function_call", "function_call_output"]);
});

test("an item is nobody's but theirs who got it, and what is not kept says what to set", async () => {
  let subject = "somebody";
  const { model, gateway } = await startBeforeModel([callTool("weather", {}), callTool("weather", {}), say("Hm.")], {
    subject: () => subject,
  });
  const { items } = await respond(gateway, { input: [QUESTION] });
  const unstored = await respond(gateway, { store: false, input: [QUESTION] });
  subject = "somebody else";
  await respond(gateway, { input: [QUESTION] });
  const stolen = await respond(gateway, { input: [QUESTION, ...goneOnWith(items)] });
  subject = "somebody";
  const unkept = await respond(gateway, { input: [QUESTION, ...goneOnWith(unstored.items)] });
  for (const { status, text } of [stolen, unkept]) {
    expect(status).toBe(400);
    expect(text).toContain("input.1 refers to an item that is not known here (any more)");
    expect(text).toContain("store set to false");
  }
  expect(model.requests).toHaveLength(3);
});

describe("the body", () => {
  const items = new ScopedMemory<string>({ maxEntries: 9, maxSize: 999 });
  items.keep("s", "fc_1", '{"type":"function_call"}', 24);
  const through = (body: string) => withIssuedItems(Buffer.from(body), "s", items).toString();

  test("keeps all bytes but those of the references", () => {
    expect(
      through('{ "a":1.10, "input" : [ {"id":"x", "n":1.0} , { "id":"fc_1", "type":"item_reference" }],"b":[ ]}'),
    ).toBe('{ "a":1.10, "input" : [{"id":"x", "n":1.0},{"type":"function_call"}],"b":[ ]}');
  });

  test.each([
    '{"input":[{"type":"item_reference","id":"fc_2"}]}',
    '{"input":[{"type":"item_reference","id":"fc_1"}],"input":[]}',
    '{"input":[{"type":"item_reference","id":"fc_1"}',
    '{"input":[{"type":"message","id":"fc_1","content":"item_reference"}]}',
    '{"input":{"type":"item_reference","id":"fc_1"}}',
    '["item_reference"]',
    "",
  ])("stays as it is: %s", (body) => {
    expect(through(body)).toBe(body);
  });
});
