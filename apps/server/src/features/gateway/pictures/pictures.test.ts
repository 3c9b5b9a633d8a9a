import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecOf } from "../codecs.ts";
import { scanJsonObject } from "../json/members.ts";
import type { WireDialect } from "../target.ts";
import { LEAST_PICTURE } from "./picture-data.ts";
import { picturesIn } from "./pictures.ts";

const HEADS = {
  png: Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
  jpeg: Buffer.from([0xff, 0xd8, 0xff, 0xe0]),
  gif: Buffer.from("GIF89a"),
  webp: Buffer.from("RIFF\x00\x00\x01\x00WEBP", "latin1"),
};

function picture(kind: keyof typeof HEADS, bytes = LEAST_PICTURE): string {
  return Buffer.concat([HEADS[kind], randomBytes(bytes)]).toString("base64");
}

const PNG = picture("png");
const URL = `data:image/png;base64,${PNG}`;
/** Begins as a picture does, and every letter of it is one of base64. */
const DRESSED = `iVBORw0KGgo${"IgnoreThePictureAndCountTheWords".repeat(1_000)}`;

function foundIn(body: string | object, dialect: WireDialect): string[] {
  const bytes = Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const scanned = scanJsonObject(bytes);
  if (!scanned.ok) throw new Error(scanned.problem);
  const pictures = picturesIn(bytes, scanned.top.open, dialect);
  return pictures.map(({ from, to }) => bytes.toString("latin1", from, to));
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const source = (data: string, fields = {}) => ({ type: "base64", media_type: "image/png", data, ...fields });
const image = (data = PNG, fields = {}) => ({ type: "image", source: source(data), ...fields });
const result = (content: Json) => ({ type: "tool_result", tool_use_id: "t", content });
const messages = (...content: Json[]) => ({ model: "m", messages: [{ role: "user", content }] });
const part = (url = URL, fields = {}) => ({ type: "image_url", image_url: { url, detail: "high" }, ...fields });
const inputImage = (url = URL, fields = {}) => ({ type: "input_image", detail: "auto", image_url: url, ...fields });
const input = (...items: Json[]) => ({ model: "m", input: items });
const output = (...parts: Json[]) => ({ type: "function_call_output", call_id: "c", output: parts });
const inline = (data = PNG, fields = {}) => ({ inlineData: { mimeType: "image/png", data }, ...fields });
const contents = (...parts: Json[]) => ({ contents: [{ role: "user", parts }] });
const response = (...parts: Json[]) => ({ functionResponse: { name: "look", response: { output: "x" }, parts } });

const AT_HOME: readonly (readonly [string, WireDialect, object, number])[] = [
  ["an image", "anthropic", messages({ type: "text", text: "Look." }, image()), 1],
  ["one that is to be cached", "anthropic", messages(image(PNG, { cache_control: { type: "ephemeral" } })), 1],
  ["images in results of tools", "anthropic", messages(result([image(), image()]), image()), 3],
  ["an image", "chat", messages(part(), { type: "text", text: "Look." }), 1],
  ["one without detail", "chat", messages({ type: "image_url", image_url: { url: URL } }), 1],
  ["an image", "responses", input({ role: "user", content: [inputImage()] }), 1],
  ["one that says it is no file", "responses", input({ content: [inputImage(URL, { file_id: null })] }), 1],
  ["one in a message with its type behind", "responses", input({ content: [inputImage()], type: "message" }), 1],
  ["images that tools gave", "responses", input(output(inputImage(), inputImage())), 2],
  ["one that a custom tool gave", "responses", input({ type: "custom_tool_call_output", output: [inputImage()] }), 1],
  ["an image", "gemini", contents({ text: "Look." }, inline()), 1],
  ["one in the other spelling", "gemini", contents({ inline_data: { mime_type: "image/png", data: PNG } }), 1],
  ["one with a resolution", "gemini", contents(inline(PNG, { mediaResolution: { level: "ULTRA_HIGH" } })), 1],
  ["images that functions gave", "gemini", contents(response(inline(), inline()), inline()), 3],
];

test.each(AT_HOME)("%s in %s is found", (_name, dialect, body, count) => {
  const found = foundIn(body, dialect);
  expect(found).toHaveLength(count);
  expect(new Set(found)).toEqual(new Set([PNG]));
  expect(foundIn(JSON.stringify(body, undefined, 3), dialect)).toHaveLength(count);
});

test.each(["png", "jpeg", "gif", "webp"] as const)("a %s is known by its first bytes, in either alphabet", (kind) => {
  const bytes = Buffer.from(picture(kind), "base64");
  for (const data of [bytes.toString("base64"), bytes.toString("base64url")]) {
    expect(foundIn(messages(image(data)), "anthropic")).toEqual([data]);
  }
});

test("other pictures, other data and small ones are none", () => {
  const url = (head: string) => foundIn(messages(part(`${head}${PNG}`)), "chat");
  expect(url("data:image/jpeg;base64,")).toHaveLength(1);
  for (const head of [
    "data:image/svg+xml;base64,",
    "data:text/plain;base64,",
    "data:image/png;charset=utf-8;base64,",
    "data:IMAGE/PNG;base64,",
    "data:image/png,",
    "data:;base64,",
    "",
  ]) {
    expect(url(head)).toEqual([]);
  }
  const text = "The quick brown fox ".repeat(2_000);
  for (const data of [
    text,
    Buffer.from(text).toString("base64"),
    `${PNG} ${PNG}`,
    `${PNG}\n${PNG}`,
    `${PNG}ä`,
    `${PNG}=${PNG}`,
    `${PNG}====`,
    PNG.slice(1),
    PNG.slice(0, LEAST_PICTURE - 1),
  ]) {
    expect(foundIn(messages(image(data)), "anthropic")).toEqual([]);
  }
  const escaped = JSON.stringify(messages(image())).replace(PNG, PNG.replace("i", "\\u0069"));
  expect(foundIn(escaped, "anthropic")).toEqual([]);
});

/** Text that a provider would count as what it is. */
const DISGUISES: readonly (readonly [string, WireDialect, object])[] = [
  ["the text of a message", "anthropic", { messages: [{ role: "user", content: DRESSED }] }],
  ["a text", "anthropic", messages({ type: "text", text: DRESSED })],
  ["a JSON of an image in a text", "anthropic", messages({ type: "text", text: JSON.stringify(image(DRESSED)) })],
  ["the system prompt", "anthropic", { ...messages(), system: [image(DRESSED)] }],
  ["the input of a tool", "anthropic", messages({ type: "tool_use", id: "t", name: "n", input: image(DRESSED) })],
  ["a list there", "anthropic", messages({ type: "tool_use", input: {}, content: [image(DRESSED)] })],
  ["a description of a tool", "anthropic", { ...messages(), tools: [image(DRESSED)] }],
  ["metadata", "anthropic", { ...messages(), metadata: messages(image(DRESSED)) }],
  ["a thought", "anthropic", messages({ type: "thinking", thinking: DRESSED, signature: DRESSED })],
  ["a document", "anthropic", messages({ type: "document", source: source(DRESSED) })],
  [
    "a document of text",
    "anthropic",
    messages({ type: "document", source: { type: "text", media_type: "text/plain", data: DRESSED } }),
  ],
  ["a source of text", "anthropic", messages({ type: "image", source: source(DRESSED, { type: "text" }) })],
  ["an image with a title", "anthropic", messages(image(DRESSED, { title: "x" }))],
  ["an image with content", "anthropic", messages(image(DRESSED, { content: [] }))],
  ["a source with an address", "anthropic", messages({ type: "image", source: source(DRESSED, { url: "https://x" }) })],
  [
    "a PDF's type",
    "anthropic",
    messages({ type: "image", source: source(DRESSED, { media_type: "application/pdf" }) }),
  ],
  ["a result in a result", "anthropic", messages(result([result([image(DRESSED)])]))],
  ["a search result", "anthropic", messages({ type: "search_result", content: [image(DRESSED)] })],
  ["a block without a type", "anthropic", messages({ source: source(DRESSED) })],
  ["a type that is a list", "anthropic", messages({ type: ["image"], source: source(DRESSED) })],
  ["data that is a list", "anthropic", messages({ type: "image", source: { ...source(""), data: [DRESSED] } })],
  ["lists in lists", "anthropic", messages([image(DRESSED)])],
  ["content that is an object", "anthropic", { messages: [{ role: "user", content: image(DRESSED) }] }],
  ["messages that are an object", "anthropic", { messages: { content: [image(DRESSED)] } }],
  ["another dialect's image", "anthropic", messages(part(`data:image/png;base64,${DRESSED}`))],

  ["a text", "chat", messages({ type: "text", text: `data:image/png;base64,${DRESSED}` })],
  ["a text with an image's field", "chat", messages(part(DRESSED, { type: "text", text: DRESSED }))],
  ["a part with a text", "chat", messages(part(`data:image/png;base64,${DRESSED}`, { text: "x" }))],
  [
    "an address that is no object",
    "chat",
    messages({ type: "image_url", image_url: `data:image/png;base64,${DRESSED}` }),
  ],
  [
    "arguments of a call",
    "chat",
    { messages: [{ role: "assistant", tool_calls: [{ function: part(`data:image/png;base64,${DRESSED}`) }] }] },
  ],
  ["an answer's refusal", "chat", { messages: [{ role: "assistant", refusal: DRESSED, content: null }] }],
  ["a prediction", "chat", { ...messages(), prediction: { content: [part(`data:image/png;base64,${DRESSED}`)] } }],
  ["another dialect's image", "chat", messages(image(DRESSED))],

  ["a text", "responses", input({ role: "user", content: [{ type: "input_text", text: URL }] })],
  ["input that is a text", "responses", { input: DRESSED }],
  ["a file", "responses", input({ role: "user", content: [{ type: "input_file", file_data: URL }] })],
  ["a reasoning item", "responses", input({ type: "reasoning", content: [inputImage(), { type: "reasoning_text" }] })],
  ["output of a message", "responses", input({ type: "message", role: "user", output: [inputImage()] })],
  ["content of an output", "responses", input({ type: "function_call_output", content: [inputImage()], output: "x" })],
  ["arguments of a call", "responses", input({ type: "function_call", arguments: JSON.stringify(inputImage()) })],
  ["an image with a file", "responses", input({ role: "user", content: [inputImage(URL, { file_id: "f" })] })],
  ["instructions", "responses", { ...input(), instructions: DRESSED }],
  ["a prompt's variables", "responses", { ...input(), prompt: { id: "p", variables: { x: inputImage() } } }],
  ["an item without a type that is known", "responses", input({ type: null, content: [inputImage()] })],

  ["a text", "gemini", contents({ text: DRESSED })],
  ["a part that is a text, too", "gemini", contents(inline(DRESSED, { text: "x" }))],
  ["a film", "gemini", contents({ inlineData: { mimeType: "video/mp4", data: PNG } })],
  ["a picture as a film", "gemini", contents(inline(PNG, { videoMetadata: { fps: 24 } }))],
  ["a text file", "gemini", contents({ inlineData: { mimeType: "text/plain", data: DRESSED } })],
  [
    "what a function gave",
    "gemini",
    contents({ functionResponse: { name: "f", response: contents(inline(DRESSED)) } }),
  ],
  [
    "parts in what a function gave",
    "gemini",
    contents({ functionResponse: { response: { parts: [inline(DRESSED)] } } }),
  ],
  ["arguments", "gemini", contents({ functionCall: { name: "f", args: inline(DRESSED) } })],
  ["the instructions", "gemini", { ...contents(), systemInstruction: { parts: [inline(DRESSED)] } }],
  ["results in results", "gemini", contents(response(response(inline(DRESSED))))],
  ["a picture beside a result", "gemini", contents({ ...response(inline()), ...inline() })],
  ["contents that are an object", "gemini", { contents: { parts: [inline(DRESSED)] } }],
];

test.each(DISGUISES)("%s in %s is no picture, whatever it looks like", (_name, dialect, body) => {
  expect(foundIn(body, dialect)).toEqual([]);
});

describe("what may be read in two ways has no pictures at all", () => {
  const text = JSON.stringify(messages(image()));
  const gemini = JSON.stringify(contents(inline()));
  const chat = JSON.stringify(messages(part()));
  const with2 = (body: string, from: string, to: string): string => {
    expect(body).toContain(from);
    return body.replace(from, to);
  };

  test.each([
    ["type twice", with2(text, '"type":"image"', '"type":"image","type":"text"')],
    ["type twice, with escapes", with2(text, '"type":"image"', '"type":"image","\\u0074ype":"text"')],
    ["type in another case", with2(text, '"type":"image"', '"type":"image","Type":"document"')],
    ["source twice", with2(text, '"source":', '"source":{},"source":')],
    ["data twice", with2(text, '"data":', '"data":"x","data":')],
    ["media_type twice", with2(text, '"media_type":', '"media_type":"text/plain","media_type":')],
    ["media_type without its line", with2(text, '"media_type":', '"mediaType":"text/plain","media_type":')],
    ["content twice", with2(text, '"content":', '"content":"x","content":')],
    ["content with an escape", with2(text, '"content":', '"c\\u006fntent":"x","content":')],
    ["messages twice", with2(text, '"messages":', '"messages":[],"messages":')],
    ["messages in another case", with2(text, '"messages":', '"Messages":[],"messages":')],
    ["a key of other letters", with2(text, '"type":"image"', '"type":"image","\u0442ype":"text"')],
    ["a comma too many", with2(text, '"type":"image",', '"type":"image",,')],
    ["a list that does not end well", with2(text, "]}]}", "}]]}")],
    ["a text in single quotes, passed over", with2(text, '"model":"m"', `"model":"m","x":['"', '"']`)],
    ["a word that is no value, passed over", with2(text, '"model":"m"', '"model":"m","x":[NaN]')],
    ["a comment, passed over", with2(text, '"model":"m"', '"model":"m","x":[1 /* "" */]')],
    ["a backslash, passed over", with2(text, '"model":"m"', '"model":"m","x":["\\x"]')],
  ])("%s", (_name, body) => {
    expect(foundIn(text, "anthropic")).toEqual([PNG]);
    expect(foundIn(body, "anthropic")).toEqual([]);
  });

  test.each([
    ["both spellings of the data", with2(gemini, '"inlineData":', '"inline_data":{},"inlineData":')],
    ["both spellings of the type", with2(gemini, '"mimeType":', '"mime_type":"text/plain","mimeType":')],
    ["a third spelling", with2(gemini, '"mimeType":', '"MimeType":"text/plain","mimeType":')],
    ["parts twice", with2(gemini, '"parts":', '"parts":[],"parts":')],
    ["contents twice", with2(gemini, '"contents":', '"contents":[],"contents":')],
  ])("%s", (_name, body) => {
    expect(foundIn(gemini, "gemini")).toEqual([PNG]);
    expect(foundIn(body, "gemini")).toEqual([]);
  });

  test.each([
    ["an address twice", with2(chat, '"url":', '"url":"x","url":')],
    ["an image twice", with2(chat, '"image_url":{', '"image_url":"x","image_url":{')],
  ])("%s", (_name, body) => {
    expect(foundIn(chat, "chat")).toEqual([PNG]);
    expect(foundIn(body, "chat")).toEqual([]);
  });
});

test("pictures beside more text than a prompt counts as are not looked for", () => {
  expect(foundIn(messages(image(), { type: "text", text: "word ".repeat(900_000) }), "anthropic")).toEqual([]);
});

test("nesting, masses of members and masses of small pictures take no longer than their bytes", () => {
  const started = performance.now();
  const nested = "[".repeat(100_000) + "]".repeat(100_000);
  const deep = JSON.stringify(messages(image())).replace('[{"type"', `[${nested},{"type"`);
  // JSON so deep is nothing that anybody would look at.
  expect(foundIn(deep, "anthropic")).toEqual([]);
  for (const [dialect, body] of [
    ["anthropic", `{"messages":${nested}}`],
    ["chat", `{"messages":[{"content":${nested}}]}`],
    ["responses", `{"input":[{"output":${nested},"content":${nested}}]}`],
    ["gemini", `{"contents":[{"parts":[{"functionResponse":{"parts":${nested}}}]},{"parts":["${PNG}"]}]}`],
  ] as const) {
    expect(foundIn(body, dialect)).toEqual([]);
  }
  const small = image(PNG.slice(0, 400));
  const many = messages(...Array.from({ length: 2_000 }, () => small), image());
  expect(foundIn(many, "anthropic")).toEqual([PNG]);
  const members = Object.fromEntries(Array.from({ length: 200_000 }, (_, index) => [`k${index}`, index]));
  expect(foundIn({ ...members, ...messages(image()) }, "anthropic")).toEqual([]);
  expect(performance.now() - started).toBeLessThan(5_000);
});

describe("what is found is a picture in every dialect that the request is translated to", () => {
  const call = { type: "tool_use", id: "t", name: "look", input: {} };
  const toolCall = { id: "t", type: "function", function: { name: "look", arguments: "{}" } };
  const functionCall = { role: "model", parts: [{ functionCall: { name: "look", args: {} } }] };
  const REQUESTS: readonly (readonly [WireDialect, object])[] = [
    [
      "anthropic",
      {
        model: "m",
        max_tokens: 9,
        messages: [
          { role: "user", content: [image(), { type: "text", text: "Look." }] },
          { role: "assistant", content: [call] },
          { role: "user", content: [result([image(), { type: "text", text: "x" }]), image()] },
        ],
      },
    ],
    [
      "chat",
      {
        model: "m",
        messages: [
          { role: "user", content: [part(), { type: "text", text: "Look." }] },
          { role: "assistant", content: null, tool_calls: [toolCall] },
          { role: "tool", tool_call_id: "t", content: [part()] },
          { role: "user", content: [part()] },
        ],
      },
    ],
    [
      "responses",
      input(
        { role: "user", content: [inputImage()] },
        { type: "function_call", call_id: "c", name: "look", arguments: "{}" },
        output(inputImage()),
        { type: "message", role: "developer", content: [{ type: "input_text", text: "Be short." }, inputImage()] },
      ),
    ],
    [
      "gemini",
      {
        contents: [
          { role: "user", parts: [inline()] },
          functionCall,
          { role: "user", parts: [response(inline()), inline()] },
        ],
      },
    ],
  ];

  describe.each(REQUESTS)("from %s", (from, body) => {
    test.each([
      ["anthropic", "claude-opus-5"],
      ["chat", "gpt-4o"],
      ["responses", "gpt-5.4"],
      ["gemini", "gemini-2.5-flash"],
      ["gemini", "gemini-3.1-pro-preview"],
    ] as const)("to %s, for %s", (to, model) => {
      expect(foundIn(body, from)).toHaveLength(3);
      const decoded = codecOf(from).decodeRequest(JSON.stringify(body));
      if (!decoded.ok) throw new Error(decoded.problem);
      const encoded = codecOf(to).encodeRequest({ ...decoded.request, model }, { stream: false });
      if (!encoded.ok) throw new Error(encoded.problem);
      const sent = JSON.stringify(encoded.body);
      expect(foundIn(sent, to)).toHaveLength(3);
      expect(sent.split(PNG)).toHaveLength(1 + 3);
    });
  });
});

// What a plain walk finds in what JSON.parse gives.

const object = (value: Json | undefined): { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as { [key: string]: Json }) : {};
const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
const only = (value: { readonly [key: string]: Json }, ...keys: string[]): boolean =>
  Object.keys(value).every((key) => keys.includes(key));
const isData = (data: Json | undefined): data is string => typeof data === "string" && data === PNG;
const TYPES: readonly (Json | undefined)[] = ["image/png", "image/jpeg"];

function plainWalk(body: Json, dialect: WireDialect): string[] {
  const top = object(body);
  switch (dialect) {
    case "anthropic":
      return list(top.messages).flatMap((message) => list(object(message).content).flatMap((each) => plainBlock(each)));
    case "chat":
      return list(top.messages).flatMap((message) => list(object(message).content).flatMap(plainPart));
    case "responses":
      return list(top.input).flatMap((item) => {
        const { type = "message", content, output: given } = object(item);
        if (type === "message") return list(content).flatMap(plainInput);
        const isOutput = type === "function_call_output" || type === "custom_tool_call_output";
        return isOutput ? list(given).flatMap(plainInput) : [];
      });
    case "gemini":
      return list(top.contents).flatMap((each) => list(object(each).parts).flatMap((one) => plainInline(one)));
  }
}

function plainParts(body: object): readonly Json[] {
  return list(object(list((body as { contents?: Json }).contents)[0]).parts);
}

function plainBlock(value: Json, isInResult = false): string[] {
  const block = object(value);
  if (block.type === "tool_result" && !isInResult) return list(block.content).flatMap((each) => plainBlock(each, true));
  const { type, media_type: mediaType, data, ...rest } = object(block.source);
  const isImage = block.type === "image" && only(block, "type", "source", "cache_control");
  const isWhole = type === "base64" && TYPES.includes(mediaType) && only(rest);
  return isImage && isWhole && isData(data) ? [data] : [];
}

function plainPart(value: Json): string[] {
  const block = object(value);
  const address = object(block.image_url);
  const isImage = block.type === "image_url" && only(block, "type", "image_url", "cache_control");
  return isImage && only(address, "url", "detail") && address.url === URL ? [PNG] : [];
}

function plainInput(value: Json): string[] {
  const block = object(value);
  const isImage = block.type === "input_image" && only(block, "type", "image_url", "file_id", "detail");
  return isImage && (block.file_id ?? null) === null && block.image_url === URL ? [PNG] : [];
}

function plainInline(value: Json, isInResult = false): string[] {
  const block = object(value);
  if ("functionResponse" in block) {
    if (isInResult || isData(object(block.inlineData).data)) return [];
    return list(object(block.functionResponse).parts).flatMap((each) => plainInline(each, true));
  }
  const blob = object(block.inlineData);
  const isWhole = only(block, "inlineData", "mediaResolution") && only(blob, "mimeType", "data", "displayName");
  return isWhole && TYPES.includes(blob.mimeType) && isData(blob.data) ? [PNG] : [];
}

const NAMES = [
  ...["messages", "content", "type", "source", "media_type", "data", "image_url", "url", "detail", "input", "output"],
  ...[
    "file_id",
    "contents",
    "parts",
    "inlineData",
    "functionResponse",
    "mimeType",
    "displayName",
    "cache_control",
    "role",
    "x",
  ],
];
const VALUES = [
  ...[PNG, URL, "image", "base64", "image/png", "image_url", "input_image", "message", "tool_result", "text", 'x\\"{['],
  ...["function_call_output", "reasoning", "text/plain"],
];

/** What may stand anywhere in place of what stands there. */
const anything: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 1.5, ...VALUES),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("value"), { maxKeys: 4 }),
    fc.constantFrom<Json>(
      image(),
      result([image()]),
      part(),
      inputImage(),
      output(inputImage()),
      inline(),
      response(inline()),
    ),
  ),
})).value;

/** The plain walk knows one spelling. */
const PLAIN = AT_HOME.filter(([, , body]) => !("inline_data" in object(plainParts(body)[0])));

/** A body with pictures, of which a few places are something else. */
const bodies = fc
  .tuple(fc.constantFrom(...PLAIN), fc.array(fc.tuple(fc.nat(), fc.constantFrom(...NAMES), anything), { maxLength: 3 }))
  .map(([[, dialect, body], changes]) => {
    const changed = structuredClone(body) as Json;
    for (const [at, name, value] of changes) {
      const places: Json[] = [];
      const visit = (node: Json): void => {
        if (typeof node !== "object" || node === null) return;
        places.push(node);
        for (const each of Object.values(node)) visit(each);
      };
      visit(changed);
      const place = places[at % places.length] as Record<string, Json> | Json[];
      if (Array.isArray(place)) place.splice(at % (place.length + 1), at % 2, structuredClone(value));
      else place[name] = structuredClone(value);
    }
    return { dialect, body: changed as object };
  });

test("what is found is what a plain walk over the parsed body finds", () => {
  fc.assert(
    fc.property(bodies, fc.constantFrom(undefined, 1, "\t"), ({ dialect, body }, space) => {
      const found = foundIn(JSON.stringify(body, undefined, space), dialect);
      expect(found).toEqual(plainWalk(body as Json, dialect));
    }),
    { numRuns: 500 },
  );
});

test("nothing is found in broken bytes that a plain walk would not find", () => {
  const bytes = fc.constantFrom(...Buffer.from("\"'{}[]:,\\ \n"));
  fc.assert(
    fc.property(bodies, fc.array(fc.tuple(fc.nat(), bytes), { maxLength: 3 }), ({ dialect, body }, changes) => {
      const text = Buffer.from(JSON.stringify(body));
      // What is broken is seldom in the data, which is most of it.
      const places = [...text.keys()].filter((at) => text[at - 1] === 0x22 || text[at + 1] === 0x22);
      for (const [at, byte] of changes) text[places[at % places.length] ?? 0] = byte;
      const scanned = scanJsonObject(text);
      if (!scanned.ok) return;
      const found = picturesIn(text, scanned.top.open, dialect);
      if (found.length > 0) expect(plainWalk(JSON.parse(text.toString()), dialect)).toHaveLength(found.length);
    }),
    { numRuns: 500 },
  );
});
