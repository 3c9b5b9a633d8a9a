import { wrapSeal } from "@loom/llm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editedBody } from "./edited-body.ts";
import { withoutForeignSeals } from "./foreign-seals.ts";
import { scanJsonObject } from "./json/members.ts";
import type { WireDialect } from "./target.ts";

const OTHER = wrapSeal({ kind: "signature", data: "c2Vh", dialect: "elsewhere" });
const UNSEALED = wrapSeal({ kind: "unsealed", data: "", dialect: "chat" });
const STAND_IN = "skip_thought_signature_validator";

function spliced(body: string, dialect: WireDialect, model = "gemini-3.1-pro") {
  const scanned = scanJsonObject(Buffer.from(body));
  if (!scanned.ok) throw new Error(scanned.problem);
  const { edits, leftOut } = withoutForeignSeals(scanned.top, dialect, model);
  return { text: editedBody(scanned.top, { inside: edits }).toString(), leftOut };
}

describe("towards the client's own dialect", () => {
  test("what only looks like a mark, in whole or in part, hides none and is none", () => {
    const block = (text: string) => `{"type":"text","text":"${text}"}`;
    const foreign = `{"type":"thinking","thinking":"T","signature":"${OTHER}"}`;
    const alike = ["9vbTE6", "bG9vbTE6", "9vbTE69vbTE6", "G9vbTE6", OTHER, OTHER.slice(0, 8)].map(block).join(",");
    const body = (content: string) => `{"messages":[{"role":"assistant","content":[${content}]}]}`;
    expect(spliced(body(`${alike},${foreign},${alike}`), "anthropic").text).toBe(body(`${alike},${alike}`));
    expect(spliced(body(alike), "anthropic").text).toBe(body(alike));
    const often = block("9vbTE6".repeat(1_000));
    expect(spliced(body(`${often},${foreign},${often}`), "anthropic").text).toBe(body(`${often},${often}`));
    const long = block("x".repeat(2 * 1024 * 1024));
    expect(spliced(body(`${long},${foreign}`), "anthropic").text).toBe(body(long));
  });

  test.each([OTHER, UNSEALED])("Claude's own thoughts stay to the byte, and those of others go", (seal) => {
    const own = '{"type":"thinking" , "thinking":"1.0 \\u00e4","signature":"EqQ"}';
    const foreign = `{"signature" : "${seal}","type":"thinking","thinking":"TH ] } \\" ,"}`;
    const text = '{ "type":"text","text":"A","citations":[] }';
    const ask = '{"role":"user","content":"Hi"}';
    const say = (content: string) => `{"role":"assistant", "content": [${content}] , "x":1}`;
    const body = (messages: string) => `{"model":"claude","messages": [ ${messages} ],"service_tier":"auto"}`;
    const given = [`${foreign} , ${own},${text}`, `${text},${foreign},${foreign}`, `${own},\n${foreign} ,${text}`];
    const kept = [`${own},${text}`, text, `${own},\n${text}`];
    expect(spliced(body([ask, ...given.map(say), ask].join(" ,")), "anthropic")).toEqual({
      text: body([ask, ...kept.map(say), ask].join(" ,")),
      leftOut: ["thinking of earlier answers"],
    });
    // What is left of a message without content is refused.
    expect(spliced(body([ask, say(foreign), say(`${foreign},${foreign}`), ask].join(",")), "anthropic").text).toBe(
      body(`${ask},${ask}`),
    );
    expect(spliced(body(say(foreign)), "anthropic").text).toBe(
      '{"model":"claude","messages": [],"service_tier":"auto"}',
    );
  });

  test("OpenAI's own reasoning stays to the byte, and that of others goes", () => {
    const body = (...items: string[]) => `{"input":[${items.join(", ")}],"conversation":null}`;
    const own = '{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}';
    const foreign = `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"${OTHER}"}`;
    const call = '{"type":"custom_tool_call","call_id":"a","name":"apply_patch","input":"*** Begin"}';
    expect(spliced(body(own, foreign, call, foreign), "responses")).toEqual({
      text: body(own, call),
      leftOut: ["thinking of earlier answers"],
    });
    // A seal of this dialect's that came wrapped is its own.
    const wrapped = foreign.replace(OTHER, wrapSeal({ kind: "signature", data: "gAAA", dialect: "responses" }));
    expect(spliced(body(wrapped, call), "responses")).toEqual({
      text: body(foreign.replace(OTHER, "gAAA"), call),
      leftOut: [],
    });
  });

  test("Gemini's parts lose a seal of another provider's, and thoughts go", () => {
    const body = (...parts: string[]) =>
      `{"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[${parts.join(",")}]}],"cachedContent":"c"}`;
    const thought = `{"text":"Hm.","thought":true,"thoughtSignature":"${UNSEALED}"}`;
    const call = (seal: string) => `{"functionCall":{"name":"ls"},"thoughtSignature":"${seal}"}`;
    const own = '{"thought_signature":"c2Vh","functionCall":{"name":"ls"}}';
    expect(spliced(body(thought, call(OTHER), own, call(UNSEALED)), "gemini")).toEqual({
      text: body(call(STAND_IN), own, call(STAND_IN)),
      leftOut: ["thinking of earlier answers"],
    });
    expect(spliced(body(call(OTHER), own), "gemini", "gemini-2.5-pro").text).toBe(
      body('{"functionCall":{"name":"ls"}}', own),
    );
    // Nobody thought anything before this call.
    expect(spliced(body(call(UNSEALED)), "gemini").leftOut).toEqual([]);
    const text = (seal: string) => `{${seal}"text":"A"}`;
    expect(spliced(body(text(`"thought\\u0053ignature":"${OTHER}" , `)), "gemini").text).toBe(body(text("")));
    expect(spliced(body(`{"text":"","thoughtSignature":"${OTHER}"}`), "gemini").text).toBe(
      '{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"cachedContent":"c"}',
    );
    expect(spliced(`{"generateContentRequest":${body(call(OTHER))}}`, "gemini").text).toBe(
      `{"generateContentRequest":${body(call(STAND_IN))}}`,
    );
  });

  test("of lists and seals that come twice, each counts", () => {
    const foreign = `{"type":"thinking","thinking":"","signature":"EqQ","signature":"${OTHER}"}`;
    const text = '{"type":"text","text":"A"}';
    const twice = `{"messages":[{"content":[${text},${foreign}],"content":[${foreign}]},{"content":[${text}]}],"messages":[${text},{"content":[${foreign}]}]}`;
    expect(spliced(twice, "anthropic").text).toBe(`{"messages":[{"content":[${text}]}],"messages":[${text}]}`);
  });

  test.each([
    [
      "anthropic",
      `{"messages":[{"role":"user","content":"${OTHER}"},{"role":"user","content":[{"text":"\\"${OTHER}"}]}]}`,
    ],
    [
      "anthropic",
      `{"metadata":{"signature":"${OTHER}"},"messages":[{"content":[{"input":{"signature":"${OTHER}"}}]}]}`,
    ],
    ["anthropic", `{"messages":[{"content":[{"signature":"${OTHER}",}]}]}`],
    ["anthropic", `{"messages":[{"content":[{"signature":"${OTHER}"}`],
    ["anthropic", `{"messages":"${OTHER}"}`],
    ["responses", `{"input":"${OTHER}"}`],
    ["gemini", `{"contents":[{"parts":[{"functionResponse":{"thoughtSignature":"${OTHER}"}}]}]}`],
    ["chat", `{"messages":[{"role":"user","content":"${OTHER}"}]}`],
  ] as const)("%s: what is no seal, and what is no JSON, stays as it is", (dialect, body) => {
    if (!scanJsonObject(Buffer.from(body)).ok) return;
    expect(spliced(body, dialect)).toEqual({ text: body, leftOut: [] });
  });

  test("gives what taking the blocks out of the object gives", () => {
    const block = fc.oneof(
      fc.record({ type: fc.constant("thinking"), thinking: fc.string(), signature: fc.constantFrom(OTHER, UNSEALED) }),
      fc.record({ type: fc.constant("thinking"), thinking: fc.string(), signature: fc.string() }),
      fc.record({ type: fc.constant("text"), text: fc.oneof(fc.string(), fc.constant(OTHER)), more: fc.jsonValue() }),
    );
    const message = fc.record({ role: fc.constant("assistant"), content: fc.array(block, { maxLength: 5 }) });
    const isForeign = (each: object) => "signature" in each && [OTHER, UNSEALED].includes(String(each.signature));
    fc.assert(
      fc.property(fc.array(message), fc.constantFrom(0, 1), (messages, indent) => {
        const expected = messages
          .map(({ role, content }) => ({
            role,
            content: content.filter((each) => !isForeign(each)),
            had: content.length,
          }))
          .filter(({ content, had }) => content.length > 0 || had === 0)
          .map(({ role, content }) => ({ role, content }));
        const { text } = spliced(JSON.stringify({ a: 1, messages, z: [] }, null, indent), "anthropic");
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ a: 1, messages: expected, z: [] })));
      }),
    );
  });

  test("finds its way through hundreds of thousands of small messages", () => {
    const many = `{"messages":[${"{},".repeat(300_000)}{"content":[{"signature":"${OTHER}"},1]}]}`;
    const expected = `{"messages":[${"{},".repeat(300_000)}{"content":[1]}]}`;
    expect(spliced(many, "anthropic").text === expected).toBe(true);
  });
});
