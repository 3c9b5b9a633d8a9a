import type { ContentBlock, LlmRequest } from "@loom/core";
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "../json/bytes.ts";
import { endOfItem, endOfText, skipBlanks } from "../json/members.ts";
import { parsed } from "../json/value.ts";
import type { WireDialect } from "../target.ts";
import { dataOfUrl, isPictureType, mayHoldPicture, type Picture, pictureIn } from "./picture-data.ts";

const NONE: readonly Picture[] = [];

/**
 * The pictures in a client's body that its provider can take for nothing else: they stand where the client's dialect has
 * pictures, in objects that say no more than that they are one. Small ones are left out. None at all where the body could be
 * read in two ways on the way there: keys that come twice, in another case or with escapes, or what is not valid JSON. Neither
 * where there is too much of it.
 *
 * `open`: behind the opening brace of the body. One pass over the bytes, as deep as a dialect is; the rest is passed over.
 */
export function picturesIn(bytes: Buffer, open: number, dialect: WireDialect): readonly Picture[] {
  if (!mayHoldPicture(bytes)) return NONE;
  const search = new PictureSearch(bytes, open - 1);
  try {
    search[dialect]();
  } catch (error) {
    if (error instanceof Ambiguous) return NONE;
    throw error;
  }
  return isStrict(bytes, search.found) ? search.found : NONE;
}

/** The same for a request in Loom's own words, of which nothing is left to be understood. */
export function picturesOf({ messages }: Pick<LlmRequest, "messages">): readonly Picture[] {
  const pictures: Picture[] = [];
  const take = (block: ContentBlock): void => {
    if (block.type !== "image" || !isPictureType(block.mediaType)) return;
    const data = Buffer.from(block.data, "utf8");
    const picture = pictureIn(data, 0, data.length);
    if (picture !== undefined) pictures.push(picture);
  };
  for (const { content } of messages) {
    for (const block of content) {
      if (block.type === "tool_result") for (const inner of block.content) take(inner);
      else take(block);
    }
  }
  return pictures;
}

/** In bytes. What is longer without its pictures counts about as much as a prompt can, and is not worth a look. */
const MAX_REST = 4 * 1024 * 1024;

/**
 * Whether all but the pictures is JSON to the letter. Values that were passed over are not checked then, and who reads more
 * than JSON, such as Google, which takes texts in single quotes, could find other texts in them than were found here.
 */
function isStrict(bytes: Buffer, pictures: readonly Picture[]): boolean {
  const rest: Buffer[] = [];
  let size = 0;
  let at = 0;
  for (const { from, to } of [...pictures, { from: bytes.length, to: bytes.length }]) {
    rest.push(bytes.subarray(at, from));
    size += from - at;
    at = to;
  }
  if (pictures.length === 0 || size > MAX_REST) return false;
  return parsed(Buffer.concat(rest, size).toString("utf8")) !== undefined;
}

/** Members and elements. No conversation has so many, and each holds up everybody else. */
const MAX_LOOKS = 100_000;

/** Servers may read it differently, or not at all; or it takes too long to say. */
class Ambiguous extends Error {}

/** Keys that somebody looks for in one kind of object. */
class Keys<Name extends string> {
  readonly #known: ReadonlyMap<string, Name>;
  readonly #folded: ReadonlySet<string>;
  readonly #longest: number;

  /** `aliases`: other spellings that the provider takes, and the name that they stand for. */
  constructor(names: readonly Name[], aliases: Readonly<Record<string, Name>> = {}) {
    this.#known = new Map([...names.map((name) => [name, name] as const), ...Object.entries(aliases)]);
    this.#folded = new Set([...this.#known.keys()].map(folded));
    this.#longest = Math.max(...[...this.#known.keys()].map(({ length }) => length));
  }

  /** The key between its quotes; `undefined` for any other. @throws Ambiguous where it may be one of these for some reader */
  nameOf(bytes: Buffer, from: number, to: number): Name | undefined {
    // With escapes, or underscores more, it may be longer.
    if (to - from > 8 * this.#longest) return undefined;
    const key = bytes.toString("latin1", from, to);
    const name = this.#known.get(key);
    if (name !== undefined) return name;
    if (!PLAIN.test(key) || this.#folded.has(folded(key))) throw new Ambiguous();
    return undefined;
  }
}

const PLAIN = /^[ -[\]-~]*$/;

function folded(key: string): string {
  return key.toLowerCase().replace(/[_-]/g, "");
}

const MESSAGES = new Keys(["messages"]);
const MESSAGE = new Keys(["content"]);
const BLOCK = new Keys(["type", "source", "content", "cache_control"]);
const SOURCE = new Keys(["type", "media_type", "data"]);
const CHAT_PART = new Keys(["type", "image_url", "cache_control"]);
const IMAGE_URL = new Keys(["url", "detail"]);
const INPUT = new Keys(["input"]);
const ITEM = new Keys(["type", "content", "output"]);
const INPUT_PART = new Keys(["type", "image_url", "file_id", "detail"]);
const CONTENTS = new Keys(["contents"]);
const CONTENT = new Keys(["parts"]);
const PART = new Keys(["inlineData", "functionResponse", "mediaResolution", "thoughtSignature"], {
  inline_data: "inlineData",
  function_response: "functionResponse",
  media_resolution: "mediaResolution",
  thought_signature: "thoughtSignature",
});
const FUNCTION_RESPONSE = new Keys(["parts"]);
const BLOB = new Keys(["mimeType", "data", "displayName"], { mime_type: "mimeType", display_name: "displayName" });

const OUTPUTS: ReadonlySet<string | undefined> = new Set(["function_call_output", "custom_tool_call_output"]);

/** Each method begins at the value at which the search stands, and ends behind it. */
class PictureSearch {
  found: Picture[] = [];
  readonly #bytes: Buffer;
  #at: number;
  #looks = 0;

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  anthropic(): void {
    this.#members(MESSAGES, () => this.#each(() => this.#members(MESSAGE, () => this.#each(() => this.#block()))));
  }

  chat(): void {
    this.#members(MESSAGES, () => this.#each(() => this.#members(MESSAGE, () => this.#each(() => this.#chatPart()))));
  }

  responses(): void {
    this.#members(INPUT, () => this.#each(() => this.#item()));
  }

  gemini(): void {
    this.#members(CONTENTS, () => this.#each(() => this.#members(CONTENT, () => this.#each(() => this.#part()))));
  }

  /** An image, or the result of a tool that holds some. */
  #block({ isInResult = false } = {}): void {
    const before = this.found.length;
    let type: string | undefined;
    let picture: Picture | undefined;
    let holdsContent = false;
    const isAlone = this.#members(BLOCK, (key) => {
      if (key === "type") type = this.#text();
      else if (key === "source") picture = this.#source();
      else if (key === "content") {
        holdsContent = true;
        if (!isInResult) this.#each(() => this.#block({ isInResult: true }));
      }
    });
    if (type !== "tool_result") this.found.length = before;
    if (type === "image" && isAlone && !holdsContent) this.#take(picture);
  }

  #source(): Picture | undefined {
    let type: string | undefined;
    let mediaType = "";
    let picture: Picture | undefined;
    const isAlone = this.#members(SOURCE, (key) => {
      if (key === "type") type = this.#text();
      else if (key === "media_type") mediaType = this.#text() ?? "";
      else picture = this.#data();
    });
    return isAlone && type === "base64" && isPictureType(mediaType) ? picture : undefined;
  }

  #chatPart(): void {
    let type: string | undefined;
    let picture: Picture | undefined;
    const isAlone = this.#members(CHAT_PART, (key) => {
      if (key === "type") type = this.#text();
      else if (key === "image_url") picture = this.#imageUrl();
    });
    if (isAlone && type === "image_url") this.#take(picture);
  }

  #imageUrl(): Picture | undefined {
    let picture: Picture | undefined;
    const isAlone = this.#members(IMAGE_URL, (key) => {
      if (key === "url") picture = this.#dataUrl();
    });
    return isAlone ? picture : undefined;
  }

  /** A message, or what came of a tool. */
  #item(): void {
    const before = this.found;
    let type: string | undefined = "message";
    let content: readonly Picture[] = NONE;
    let output: readonly Picture[] = NONE;
    this.#members(ITEM, (key) => {
      if (key === "type") {
        type = this.#text();
        return;
      }
      this.found = [];
      this.#each(() => this.#inputPart());
      if (key === "content") content = this.found;
      else output = this.found;
    });
    this.found = before;
    if (type === "message") this.found.push(...content);
    else if (OUTPUTS.has(type)) this.found.push(...output);
  }

  #inputPart(): void {
    let type: string | undefined;
    let picture: Picture | undefined;
    let isFile = false;
    const isAlone = this.#members(INPUT_PART, (key) => {
      if (key === "type") type = this.#text();
      else if (key === "image_url") picture = this.#dataUrl();
      // Some clients say of both what they do not use.
      else if (key === "file_id") isFile = this.#bytes[this.#at] !== NULL;
    });
    if (isAlone && type === "input_image" && !isFile) this.#take(picture);
  }

  /** An image, or the result of a function that has some beside it. */
  #part({ isInResult = false } = {}): void {
    const before = this.found.length;
    let holdsResult = false;
    let picture: Picture | undefined;
    const isAlone = this.#members(PART, (key) => {
      if (key === "inlineData") picture = this.#blob();
      else if (key === "functionResponse") {
        holdsResult = true;
        if (!isInResult) {
          this.#members(FUNCTION_RESPONSE, () => this.#each(() => this.#part({ isInResult: true })));
        }
      }
    });
    // It is one of both.
    if (holdsResult && picture !== undefined) this.found.length = before;
    else if (isAlone && !holdsResult) this.#take(picture);
  }

  #blob(): Picture | undefined {
    let mediaType = "";
    let picture: Picture | undefined;
    const isAlone = this.#members(BLOB, (key) => {
      if (key === "mimeType") mediaType = this.#text() ?? "";
      else if (key === "data") picture = this.#data();
    });
    return isAlone && isPictureType(mediaType) ? picture : undefined;
  }

  #take(picture: Picture | undefined): void {
    if (picture !== undefined) this.found.push(picture);
  }

  #data(): Picture | undefined {
    const text = this.#string();
    return text === undefined ? undefined : pictureIn(this.#bytes, text.from, text.to);
  }

  #dataUrl(): Picture | undefined {
    const text = this.#string();
    const from = text === undefined ? undefined : dataOfUrl(this.#bytes, text.from);
    return text === undefined || from === undefined ? undefined : pictureIn(this.#bytes, from, text.to);
  }

  /** A short string without escapes; `undefined` for any other value. */
  #text(): string | undefined {
    const text = this.#string();
    if (text === undefined || text.to - text.from > MAX_TEXT) return undefined;
    return this.#bytes.toString("latin1", text.from, text.to);
  }

  /** Between the quotes. */
  #string(): { readonly from: number; readonly to: number } | undefined {
    const start = this.#at;
    if (this.#bytes[start] !== QUOTE) {
      this.#skip();
      return undefined;
    }
    this.#at = this.#checked(endOfText(this.#bytes, start));
    return { from: start + 1, to: this.#at - 1 };
  }

  /** Calls back at each value whose key is one of these; what is not read then is passed over. `false`: there are others, too. */
  #members<Name extends string>(keys: Keys<Name>, read: (key: Name) => void): boolean {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== OPEN_BRACE) {
      this.#skip();
      return false;
    }
    const seen = new Set<Name>();
    let isAlone = true;
    this.#list(CLOSE_BRACE, () => {
      const keyStart = this.#at;
      const keyEnd = this.#checked(endOfText(bytes, keyStart));
      this.#at = skipBlanks(bytes, keyEnd);
      if (bytes[this.#at] !== COLON) throw new Ambiguous();
      const start = skipBlanks(bytes, this.#at + 1);
      this.#at = start;
      const key = keys.nameOf(bytes, keyStart + 1, keyEnd - 1);
      if (key === undefined) isAlone = false;
      else if (seen.has(key)) throw new Ambiguous();
      else {
        seen.add(key);
        read(key);
      }
      if (this.#at === start) this.#skip();
    });
    return isAlone;
  }

  /** Calls back at each element of an array. */
  #each(read: () => void): void {
    if (this.#bytes[this.#at] !== OPEN_BRACKET) this.#skip();
    else this.#list(CLOSE_BRACKET, read);
  }

  #list(close: number, read: () => void): void {
    const bytes = this.#bytes;
    this.#at = skipBlanks(bytes, this.#at + 1);
    if (bytes[this.#at] === close) {
      this.#at += 1;
      return;
    }
    for (;;) {
      this.#looks += 1;
      if (this.#looks > MAX_LOOKS) throw new Ambiguous();
      read();
      this.#at = skipBlanks(bytes, this.#at);
      const byte = bytes[this.#at];
      this.#at += 1;
      if (byte === close) return;
      if (byte !== COMMA) throw new Ambiguous();
      this.#at = skipBlanks(bytes, this.#at);
    }
  }

  #skip(): void {
    this.#at = this.#checked(endOfItem(this.#bytes, this.#at));
  }

  #checked(end: number): number {
    if (end === -1) throw new Ambiguous();
    return end;
  }
}

/** What `null` begins with, and no other value. */
const NULL = 0x6e;

/** No type that anybody looks for is longer. */
const MAX_TEXT = 64;
