import type { DocumentBlock, ImageBlock, JsonObject, JsonValue, RemoteImageBlock, TextBlock } from "@loom/core";
import { asText } from "../json-reader.ts";
import { readDataUrl, readFileData, readHttpUrl } from "../media.ts";
import { refuseValue } from "../request-problem.ts";
import { readArray, readName, readObject, readString } from "../request-reader.ts";

export type Part = TextBlock | ImageBlock | RemoteImageBlock | DocumentBlock;

/** `detail` of images and files has no counterpart and is left out. A bare string is short for one text; "" for none. */
export function readParts(content: JsonValue | undefined, path: string): Part[] {
  return partsIn(content, path).map((part, index) => readPart(part, `${path}.${index}`));
}

/** The same where only text may be: instructions, and what a model said. */
export function readTexts(content: JsonValue | undefined, path: string): string[] {
  return partsIn(content, path).map((part, index) => {
    const at = `${path}.${index}`;
    if (part.type === "refusal") return readString(part.refusal, `${at}.refusal`);
    if (!isText(part)) refuseValue(`${at}.type`, part.type);
    return readString(part.text, `${at}.text`);
  });
}

function partsIn(content: JsonValue | undefined, path: string): readonly JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "input_text", text: content }];
  return readArray(content, path).map((part, index) => readObject(part, `${path}.${index}`));
}

function isText({ type }: JsonObject): boolean {
  return type === "input_text" || type === "output_text" || type === "text";
}

function readPart(part: JsonObject, path: string): Part {
  if (isText(part)) return { type: "text", text: readString(part.text, `${path}.text`) };
  if (part.type === "input_image") return readImage(part, path);
  if (part.type === "input_file") return readFile(part, path);
  return refuseValue(`${path}.type`, part.type);
}

function readImage({ image_url: url, file_id: fileId }: JsonObject, path: string): ImageBlock | RemoteImageBlock {
  if (fileId !== undefined && fileId !== null) {
    return { type: "remote_image", source: { type: "file", fileId: readName(fileId, `${path}.file_id`) } };
  }
  const address = readName(url, `${path}.image_url`);
  const data = readDataUrl(address);
  if (data !== undefined) return { type: "image", ...data };
  return { type: "remote_image", source: { type: "url", url: readHttpUrl(address, `${path}.image_url`) } };
}

function readFile(part: JsonObject, path: string): DocumentBlock {
  const title = asText(part.filename);
  const titled = title === undefined ? {} : { title };
  const { file_data: data, file_url: url, file_id: fileId } = part;
  if (fileId !== undefined && fileId !== null) {
    return { type: "document", source: { type: "file", fileId: readName(fileId, `${path}.file_id`) }, ...titled };
  }
  if (url !== undefined && url !== null) {
    const address = readHttpUrl(readName(url, `${path}.file_url`), `${path}.file_url`);
    return { type: "document", source: { type: "url", url: address }, ...titled };
  }
  const text = readName(data, `${path}.file_data`);
  const bytes = readFileData(text, title, `${path}.file_data`);
  return { type: "document", source: { type: "base64", ...bytes }, ...titled };
}
