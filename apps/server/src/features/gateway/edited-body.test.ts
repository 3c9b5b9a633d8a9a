import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asksForUsage, editedBody } from "./edited-body.ts";
import { scanJsonObject } from "./json/members.ts";

function topOf(text: string) {
  const scanned = scanJsonObject(Buffer.from(text));
  if (!scanned.ok) throw new Error(scanned.problem);
  return scanned.top;
}

describe("an edit of a request", () => {
  test("changes the one field and not a byte of the rest", () => {
    const body =
      '{ "messages":[{"role":"user","content":"\\u00e4 \\"model\\":\\"x\\""}],\n "model" : "fast" , "z":1.0 }';
    expect(editedBody(topOf(body), { model: "claude-haiku-4-5" }).toString()).toBe(
      '{ "messages":[{"role":"user","content":"\\u00e4 \\"model\\":\\"x\\""}],\n "model" : "claude-haiku-4-5" , "z":1.0 }',
    );
  });

  test("gives what setting the field gives, whatever else is in the object", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (others, model) => {
        const object = JSON.parse(JSON.stringify({ ...others, model: "alias" }));
        delete object.stream_options;
        const expected = { ...object, model, stream_options: { include_usage: true } };
        const edited = editedBody(topOf(JSON.stringify(object)), { model, usage: true });
        expect(JSON.parse(edited.toString())).toEqual(expected);
      }),
    );
  });

  test("keeps the other options of a stream", () => {
    const top = topOf('{"stream_options":{"include_obfuscation":false}}');
    expect(asksForUsage(top)).toBe(false);
    expect(editedBody(top, { usage: true }).toString()).toBe(
      '{"stream_options":{"include_obfuscation":false,"include_usage":true}}',
    );
  });

  test("puts Vertex AI's version in the place of the model", () => {
    expect(editedBody(topOf('{"model":"claude-opus-5","max_tokens":1}'), { vertex: true }).toString()).toBe(
      '{"anthropic_version":"vertex-2023-10-16","max_tokens":1}',
    );
  });

  test("is none where nothing has to change", () => {
    const top = topOf('{"model":"m"}');
    expect(editedBody(top, {})).toBe(top.bytes);
  });
});
