import type { DocumentBlock, ImageBlock, JsonObject, MediaSource, OpaqueBlock, RemoteImageBlock } from "@loom/core";
import { asText } from "../json-reader.ts";
import { ownFile } from "../media.ts";
import { refuse } from "../request-problem.ts";
import { readName, readObject } from "../request-reader.ts";
import type { GeminiOptions } from "./encode-request.ts";
import { field } from "./wire-field.ts";

type MediaBlock = ImageBlock | RemoteImageBlock | DocumentBlock;

/** Files that were uploaded to the provider, and buckets it may read, in contrast to any address on the web. */
const OWN_FILE = /^(?:gs:\/\/|https:\/\/generativelanguage\.googleapis\.com\/|files\/)/;
const FILES = "https://generativelanguage.googleapis.com/v1beta/files/";

/** Addresses have to say what lies there; where nobody does, the ending of the name has to do. */
const TYPES: readonly (readonly [RegExp, string])[] = [
  [/\.pdf$/i, "application/pdf"],
  [/\.png$/i, "image/png"],
  [/\.jpe?g$/i, "image/jpeg"],
  [/\.webp$/i, "image/webp"],
  [/\.gif$/i, "image/gif"],
  [/\.(?:txt|md)$/i, "text/plain"],
];

/** `inlineData` or `fileData`. Sound and video have no word of Loom's, and stay with this dialect. */
export function readMedia(part: JsonObject, path: string): MediaBlock | OpaqueBlock | undefined {
  const inline = field(part, "inlineData");
  if (inline !== undefined) {
    const blob = readObject(inline, `${path}.inlineData`);
    const mediaType = readName(field(blob, "mimeType"), `${path}.inlineData.mimeType`);
    const data = readName(blob.data, `${path}.inlineData.data`);
    if (isImage(mediaType)) return { type: "image", mediaType, data };
    return isDocument(mediaType)
      ? { type: "document", source: { type: "base64", mediaType, data }, ...titleOf(blob) }
      : { type: "opaque", dialect: "gemini", data: part };
  }
  const file = field(part, "fileData");
  if (file === undefined) return undefined;
  const data = readObject(file, `${path}.fileData`);
  const uri = readName(field(data, "fileUri"), `${path}.fileData.fileUri`);
  const mediaType = asText(field(data, "mimeType"));
  if (mediaType === undefined || !isCarriedType(mediaType)) {
    return { type: "opaque", dialect: "gemini", data: part };
  }
  const source = OWN_FILE.test(uri)
    ? ({ type: "file", fileId: uri, mediaType } as const)
    : ({ type: "url", url: uri, mediaType } as const);
  return isImage(mediaType) ? { type: "remote_image", source } : { type: "document", source, ...titleOf(data) };
}

type AddressTraits = Pick<GeminiOptions, "typedAddresses">;

export function mediaToWire(block: MediaBlock, path: string, traits: AddressTraits): JsonObject {
  if (block.type === "image") return { inlineData: { mimeType: block.mediaType, data: block.data } };
  if (block.type === "remote_image") return remoteToWire(block.source, path, { ...traits, usual: undefined });
  const { source, title } = block;
  switch (source.type) {
    case "text":
      return { text: title === undefined ? source.text : `${title}\n\n${source.text}` };
    case "base64":
      return { inlineData: { mimeType: source.mediaType, data: source.data } };
    default:
      return remoteToWire(source, path, { ...traits, usual: "application/pdf" });
  }
}

function remoteToWire(
  source: Exclude<MediaSource, { type: "base64" }>,
  path: string,
  { usual, typedAddresses }: AddressTraits & { readonly usual: string | undefined },
): JsonObject {
  const fileUri = source.type === "url" ? source.url : fullUri(ownFile(source.fileId, "gemini", path));
  const name = /^[^?#]*/.exec(fileUri)?.[0] ?? "";
  const mimeType = source.mediaType ?? TYPES.find(([pattern]) => pattern.test(name))?.[1] ?? usual;
  if (mimeType === undefined && typedAddresses) refuse(path, UNTYPED);
  return { fileData: { fileUri, ...(mimeType === undefined ? {} : { mimeType }) } };
}

const UNTYPED =
  "has an image at an address that does not say what kind it is, which Vertex AI has to be told: " +
  "let the address end in .png, .jpg, .webp or .gif, or send the image itself";

function fullUri(fileId: string): string {
  return fileId.startsWith("files/") ? FILES + fileId.slice("files/".length) : fileId;
}

function titleOf(data: JsonObject): { title?: string } {
  const title = asText(field(data, "displayName"));
  return title === undefined ? {} : { title };
}

/** Whether Loom has a word for media of this type, so that other providers can be given them. */
export function isCarriedType(mediaType: string): boolean {
  return isImage(mediaType) || isDocument(mediaType);
}

function isImage(mediaType: string): boolean {
  return mediaType.startsWith("image/");
}

function isDocument(mediaType: string): boolean {
  return mediaType === "application/pdf" || mediaType === "application/json" || mediaType.startsWith("text/");
}
