import type { JsonValue, LlmEvent } from "@loom/core";
import { describe, expect, test } from "vitest";
import { answerOf, calls, chunk, decode, stream } from "./chat.testing.ts";

/** Name and arguments of each call, which is what every quirk has to leave alone. */
function callsOf(...chunks: JsonValue[]) {
  const { message } = answerOf(stream(...chunks, chunk({}, "tool_calls"), "[DONE]"));
  return message.content.flatMap((block) => (block.type === "tool_use" ? [block] : []));
}

function deltasOf(...chunks: JsonValue[]): LlmEvent[] {
  return decode(stream(...chunks, chunk({}, "tool_calls"), "[DONE]")).slice(0, -1);
}

const call = (
  index: number | undefined,
  id: string | undefined,
  name: string | undefined,
  text: string,
): JsonValue => ({
  ...(index === undefined ? {} : { index }),
  ...(id === undefined ? {} : { id }),
  type: "function",
  function: { ...(name === undefined ? {} : { name }), arguments: text },
});
const more = (index: number | undefined, text: string) => call(index, undefined, undefined, text);

describe("calls of OpenAI", () => {
  test("come in fragments, the id and the name in the first one only", () => {
    const chunks = [calls(call(0, "call_a", "read_file", "")), calls(more(0, '{"pa')), calls(more(0, 'th":"a.ts"}'))];
    expect(callsOf(...chunks)).toEqual([
      { type: "tool_use", id: "call_a", name: "read_file", input: { path: "a.ts" } },
    ]);
    const delta = { type: "tool_call_delta", callId: "call_a", name: "read_file" };
    expect(deltasOf(...chunks)).toEqual([
      { ...delta, argumentsFragment: "" },
      { ...delta, argumentsFragment: '{"pa' },
      { ...delta, argumentsFragment: 'th":"a.ts"}' },
    ]);
  });

  test("may be interleaved, and keep the order they began in", () => {
    const blocks = callsOf(
      calls(call(0, "call_a", "read_file", "")),
      calls(call(1, "call_b", "search", '{"query"')),
      calls(more(0, '{"path":')),
      calls(more(1, ':"x"}'), more(0, '"a.ts"}')),
    );
    expect(blocks).toEqual([
      { type: "tool_use", id: "call_a", name: "read_file", input: { path: "a.ts" } },
      { type: "tool_use", id: "call_b", name: "search", input: { query: "x" } },
    ]);
  });

  test("come after the text", () => {
    const { message } = answerOf(
      stream(calls(call(0, "call_a", "f", "{}")), chunk({ content: "Looking." }), chunk({}, "tool_calls")),
    );
    expect(message.content.map(({ type }) => type)).toEqual(["text", "tool_use"]);
  });
});

test("a call keeps the seal that Gemini's own endpoint gives with it", () => {
  const sealed = { index: 0, id: "a", function: { name: "f", arguments: "{}" } };
  const extra_content = { google: { thought_signature: "Cs0B" } };
  for (const chunks of [[calls({ ...sealed, extra_content })], [calls(sealed), calls({ index: 0, extra_content })]]) {
    expect(answerOf(stream(...chunks, "[DONE]")).message.content).toEqual([
      { type: "tool_use", id: "a", name: "f", input: {}, signature: "Cs0B" },
    ]);
  }
});

describe("arguments", () => {
  test.each(["", " ", "{}", "{ }\n", "null", "[]", "[ ]\n", '""'])("%j are none", (text) => {
    expect(callsOf(calls(call(0, "a", "f", text)))).toEqual([{ type: "tool_use", id: "a", name: "f", input: {} }]);
  });

  test.each(['{"path":"a.t', "[1]", "0", "[null]", '"text"', "{'a':1}", '{"a":1}}'])(
    "%j, which is no JSON object, is kept as it came",
    (text) => {
      expect(callsOf(calls(call(0, "a", "f", text)))).toEqual([
        { type: "tool_use", id: "a", name: "f", input: {}, malformedInput: text },
      ]);
    },
  );

  test("may come as the object itself, or be left out", () => {
    const blocks = callsOf(
      calls({ index: 0, id: "a", function: { name: "f", arguments: { x: 1 } } }),
      calls({ index: 1, id: "b", function: { name: "g" } }),
      calls({ index: 2, id: "c", function: { name: "h", arguments: null } }),
    );
    expect(blocks.map(({ input }) => input)).toEqual([{ x: 1 }, {}, {}]);
  });
});

describe("two calls stay two where a server", () => {
  const first = '{"n":1}';
  const second = '{"n":2}';

  test.each<[string, JsonValue[]]>([
    ["leaves out the index", [calls(call(undefined, "a", "f", first)), calls(call(undefined, "b", "g", second))]],
    [
      "leaves out the index within one chunk",
      [calls(call(undefined, "a", "f", first), call(undefined, "b", "g", second))],
    ],
    [
      "leaves out the index and cuts the arguments",
      [
        calls(call(undefined, "a", "f", '{"n"')),
        calls(more(undefined, ":1}")),
        calls(call(undefined, "b", "g", '{"n"')),
        calls(more(undefined, ":2}")),
      ],
    ],
    [
      "knows calls by id instead of index",
      [
        calls(call(undefined, "a", "f", '{"n"')),
        calls(call(undefined, "b", "g", '{"n"')),
        calls(call(undefined, "a", undefined, ":1}")),
        calls(call(undefined, "b", undefined, ":2}")),
      ],
    ],
    ["numbers both 0", [calls(call(0, "a", "f", first)), calls(call(0, "b", "g", second))]],
    [
      "numbers both 0 and gives no ids",
      [calls(call(0, undefined, "f", first)), calls(call(0, undefined, "g", second))],
    ],
    [
      "gives neither index nor id",
      [calls(call(undefined, undefined, "f", first)), calls(call(undefined, undefined, "g", second))],
    ],
    ["gives empty ids", [calls(call(0, "", "f", first)), calls(call(1, "", "g", second))]],
    ["gives one id to both", [calls(call(0, "a", "f", first)), calls(call(1, "a", "g", second))]],
    ["gives one id to both and no index", [calls(call(undefined, "a", "f", first), call(undefined, "a", "g", second))]],
    [
      "repeats id and name in every fragment",
      [
        calls(call(0, "a", "f", '{"n"')),
        calls(call(0, "a", "f", ":1}")),
        calls(call(1, "b", "g", '{"n"')),
        calls(call(1, "b", "g", ":2}")),
      ],
    ],
    [
      "gives each fragment a new id",
      [
        calls(call(0, "a", "f", '{"n"')),
        calls(call(0, "a2", undefined, ":1}")),
        calls(call(1, "b", "g", '{"n"')),
        calls(call(1, "b2", undefined, ":2}")),
      ],
    ],
    [
      "sends the id, then the name, then the arguments",
      [
        calls({ index: 0, id: "a" }),
        calls({ index: 0, function: { name: "f" } }),
        calls(more(0, first)),
        calls(call(1, "b", "g", second)),
      ],
    ],
    [
      "sends arguments before the name",
      [calls(more(0, '{"n"')), calls(call(0, "a", "f", ":1}")), calls(call(1, "b", "g", second))],
    ],
    [
      "repeats the whole calls at the end",
      [
        calls(call(0, "a", "f", '{"n"')),
        calls(more(0, ":1}"), call(1, "b", "g", second)),
        calls(call(0, "a", "f", first), call(1, "b", "g", second)),
      ],
    ],
    ["numbers from 1", [calls(call(1, "a", "f", first)), calls(call(2, "b", "g", second))]],
    [
      "counts in words",
      [
        calls({ ...Object(call(0, "a", "f", first)), index: "0" }),
        calls({ ...Object(call(0, "b", "g", second)), index: null }),
      ],
    ],
  ])("%s", (_name, chunks) => {
    const blocks = callsOf(...chunks);
    expect(blocks.map(({ name, input }) => ({ name, input }))).toEqual([
      { name: "f", input: { n: 1 } },
      { name: "g", input: { n: 2 } },
    ]);
    expect(new Set(blocks.map(({ id }) => id)).size).toBe(2);

    const fragments = new Map<string, string>();
    for (const event of deltasOf(...chunks)) {
      if (event.type !== "tool_call_delta") continue;
      const key = `${event.callId} ${event.name}`;
      fragments.set(key, (fragments.get(key) ?? "") + event.argumentsFragment);
    }
    expect([...fragments]).toEqual(blocks.map(({ id, name, input }) => [`${id} ${name}`, JSON.stringify(input)]));
  });

  test("makes the same call twice", () => {
    const same = calls(call(undefined, undefined, "f", first), call(undefined, undefined, "f", first));
    expect(callsOf(same)).toHaveLength(2);
    expect(callsOf(calls(call(0, undefined, "f", first)), calls(call(0, undefined, "f", first)))).toHaveLength(2);
  });
});

describe("an id", () => {
  test("that is missing is made up, the same for the same answer", () => {
    const chunks = [calls(call(0, undefined, "f", "{}")), calls(call(1, undefined, "g", "{}"))];
    const ids = callsOf(...chunks).map(({ id }) => id);
    expect(ids).toEqual([
      expect.stringMatching(/^call_[0-9a-f]{16}_0$/),
      expect.stringMatching(/^call_[0-9a-f]{16}_1$/),
    ]);
    expect(callsOf(...chunks).map(({ id }) => id)).toEqual(ids);
  });

  test("that is missing is another one in another answer", () => {
    const answer = (id: string) =>
      answerOf(
        stream({
          id,
          choices: [{ index: 0, delta: { tool_calls: [call(0, undefined, "f", "")] }, finish_reason: "stop" }],
        }),
      );
    expect(answer("chatcmpl-1").message).not.toEqual(answer("chatcmpl-2").message);
  });

  test("that two calls share is made unlike", () => {
    const chunks = ["f", "g", "h"].map((name, index) => calls(call(index, "a", name, "{}")));
    expect(callsOf(...chunks).map(({ id }) => id)).toEqual(["a", "a_2", "a_3"]);
  });
});

test("a call without a name is kept under a name that no tool has", () => {
  expect(callsOf(calls(call(0, "a", undefined, '{"x":1}')))).toEqual([
    { type: "tool_use", id: "a", name: "unknown", input: { x: 1 } },
  ]);
  expect(deltasOf(calls(call(0, "a", undefined, '{"x":1}')))).toEqual([]);
});

test("fragments that belong to no call are left out", () => {
  expect(callsOf(calls(more(undefined, '{"x":1}')), calls(null, 7, "x", []))).toEqual([]);
});
